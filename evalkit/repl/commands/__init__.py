"""The commands of a chat: what can be typed behind a slash (table, which is light), and what it does."""
