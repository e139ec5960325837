"""Credentials and what they permit: credential → Principal, Principal + scope → Allow or Deny.

Deny is the default. A right is looked up anew for each message, so that revoking, narrowing or suspending is exact:
once the call that does so has returned, no message is accepted under the old right (architecture, promise 3).
"""
