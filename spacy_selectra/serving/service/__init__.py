"""A pipeline behind a port: FastAPI on uvicorn (extra `serve`), and a page to look at."""
