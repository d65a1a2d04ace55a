"""YAML without what can make a short text expand, or run code: for configs that somebody else may have written."""

from typing import Any

import yaml

DEEPEST = 12
MOST_NODES = 5_000


class PlainLoader(yaml.SafeLoader):
    """YAML as `yaml.safe_dump` writes it: no anchors, aliases, merges, repeated keys, and not nested without end."""

    depth, nodes = 0, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what could make a short text a long one."""
        if self.check_event(yaml.AliasEvent) or self.peek_event().anchor is not None:
            raise yaml.YAMLError("it has an anchor or alias")
        if self.depth > DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        if self.nodes > MOST_NODES:
            raise yaml.YAMLError("it has too many values")
        self.depth, self.nodes = self.depth + 1, self.nodes + 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        """Refuse keys that are no text, or that come twice."""
        keys = [key.value if key.tag == "tag:yaml.org,2002:str" else None for key, _ in node.value]
        if None in keys or len(set(keys)) < len(keys):
            raise yaml.YAMLError("it has a key that is no text, or that comes twice")
        return super().construct_mapping(node, deep)
