"""What Alembic runs to migrate: on the connection, and in the transaction, that ``storage.migrate`` hands over."""

from alembic import context

# SQLite can roll back DDL; Alembic assumes it cannot unless told.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
