"""The kind `retriever`: search over a corpus, by meaning and by words."""
