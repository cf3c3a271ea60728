"""A Flask route that parses and answers JSON, and nothing else: what the framework costs alone."""

from flask import Flask, Response, jsonify, request

app = Flask("bare")


@app.post("/bare")
def echo() -> Response:
    return jsonify(request.get_json())
