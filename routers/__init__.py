"""The learned part: from a query to calibrated probabilities over categories. No HTTP, no event loop, no clocks.

Train, keep, serve:

    embedder = load_embedder("minilm", folder=here)                       # routers.embedding.load
    trained = train(examples, general="general", embedder=embedder)       # routers.train, routers.examples
    save(trained, here / "router", embedder="minilm")                     # routers.artifact
    router = load(here / "router", embedder=embedder)                     # routers.artifact
    for routing in router.classify(["solve for x"]):                      # routers.router
        routing.category, routing.confidence, routing.category_set, routing.gate

`routers.calibrate` and `routers.gate` hold the mathematics, `routers.mapping` what a category leads to,
`routers.weights` finds model weights that come as packages, `routers.errors` has everything raised on purpose.
A kind of classifier is an entry point of the group `orchestrator.routers`; see `routers.classify.protocol`.

Importing this package, and any module of it but `sentence`, `layers` and `hub` of `routers.embedding`, loads
neither torch nor sentence-transformers.
"""
