"""The durable promise a 250 makes: recipient states, retry, fairness, hold, and the Queue port with its contract."""
