"""What only the workflow needs: settings, deployment, the lock, the closing line."""
