"""The judge: runs routers and pipelines offline on labelled data and measures what they do."""
