"""HTTP service for a pipeline: FastAPI on uvicorn (extra `serve`), and a demo page."""
