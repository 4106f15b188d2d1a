"""What is fetched from Kaggle, and how it is verified.

The service is reached through ``kagglesdk``, the library inside the official ``kaggle`` client (pinned: kaggle 2.2.4). The
package ``kaggle`` itself is not imported: on import it signs in without a time limit, creates a folder in HOME, prints to
standard output, and with VERBOSE=1 in the environment prints the credentials.
"""
