#!/usr/bin/env python3
"""Which paths, fields, types and limits do the official documents state?

Usage: extract.py <folder with the documents>

Writes one JSON file per document beside this script. Only the structure is kept: paths, methods, parameters, schemas,
enumerations, limits, required fields. Prose, titles and examples are dropped.
"""

import json
import pathlib
import sys

import yaml

SOURCES = {
    "ozon.json": ["ozon-chat.openapi.json", "ozon-notification-seller-roles.openapi.json"],
    "wildberries.json": ["wb-buyers-chat.openapi.yaml", "wb-general-ping-sellerinfo.openapi.yaml"],
    "yandex_market.json": ["yandex-market-chats.openapi.yaml"],
}
PATHS = ("/chat", "/v1/roles", "/ping", "/api/v1/seller")
REMOVED = ("/v2/chat/list", "/v1/seller/info")
METHODS = {"get", "post", "put", "patch", "delete"}
KEPT = {
    "$ref", "additionalProperties", "allOf", "anyOf", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "nullable", "oneOf", "properties", "required",
    "type", "uniqueItems",
}


def load(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def schema(node):
    if isinstance(node, list):
        return [schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key == "properties":
            kept[key] = {name: schema(child) for name, child in value.items()}
        elif key in KEPT:
            kept[key] = schema(value)
    return kept


def content(node):
    return {kind: schema(media.get("schema", {})) for kind, media in node.get("content", {}).items()}


def resolve(document, node):
    while "$ref" in node:
        found = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operation(document, node):
    parameters = []
    for parameter in node.get("parameters", []):
        parameter = resolve(document, parameter)
        kept = {key: parameter[key] for key in ("name", "in", "required") if key in parameter}
        parameters.append(kept | {"schema": schema(parameter.get("schema", {}))})
    responses = {}
    for status, response in node.get("responses", {}).items():
        responses[str(status)] = content(resolve(document, response))
        # one document has the other statuses inside this one
        for inner, nested in response.items():
            if str(inner).isdigit():
                responses[str(inner)] = content(nested)
    kept = {"parameters": parameters, "responses": dict(sorted(responses.items()))}
    if "requestBody" in node:
        body = resolve(document, node["requestBody"])
        kept["body"] = {"required": body.get("required", False), "content": content(body)}
    return kept


def used(document, node, found):
    if isinstance(node, dict):
        name = node.get("$ref", "").removeprefix("#/components/schemas/")
        if name and name not in found:
            found[name] = schema(document["components"]["schemas"][name])
            used(document, found[name], found)
        for child in node.values():
            used(document, child, found)
    elif isinstance(node, list):
        for child in node:
            used(document, child, found)


def extract(documents):
    result = {"paths": {}, "schemas": {}}
    for document in documents:
        for path, item in document["paths"].items():
            if path in REMOVED or not any(part in path for part in PATHS):
                continue
            methods = {method: operation(document, node) for method, node in item.items() if method in METHODS}
            result["paths"][path] = methods
            used(document, methods, result["schemas"])
    return result


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(__file__).parent
    for name, files in SOURCES.items():
        result = extract([load(source / file) for file in files])
        text = json.dumps(result, ensure_ascii=False, indent=1, sort_keys=True)
        (target / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
