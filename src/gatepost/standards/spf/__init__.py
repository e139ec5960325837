"""SPF: RFC 7208. It yields DNS questions; it does not ask them."""
