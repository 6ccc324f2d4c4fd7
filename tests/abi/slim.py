"""Reduces an ABI description of abidw's to what Duet promises.

abidw describes everything that can be reached from the exported functions: half of the C++ library, and whatever else the
debug information of the same files mentions. Kept is here: the exported symbols and functions, every type of the public
headers in full, and of all other types name and size. (What std::string looks like inside is libstdc++'s promise, not
ours; the names of its instances still tell which is used where.) No paths, no line numbers: a baseline is the same wherever
it was made."""

import xml.etree.ElementTree as xml

CLASSES = ("class-decl", "union-decl")
TYPES = CLASSES + ("enum-decl", "typedef-decl", "type-decl", "pointer-type-def", "reference-type-def", "qualified-type-def",
                   "array-type-def", "function-type", "subrange")
# What abidiff is told of a type that no exported function needs to mention; no library has such symbols.
SHOWN = "every "


class Slimmer:
    """is_public: whether a file, by the path that the debug information has for it, is one of the public headers."""

    def __init__(self, is_public):
        self._in_public_file = is_public

    def slim(self, source, target):
        tree = xml.parse(source)
        root = tree.getroot()
        self._strip_foreign(root)
        self._sweep(root, self._reachable(root))
        self._show_types(root)
        for element in root.iter():
            for attribute in ("filepath", "line", "column"):
                element.attrib.pop(attribute, None)
            if element.tag == "abi-instr":
                element.set("path", element.get("path").rsplit("/", 1)[-1])
        xml.indent(tree, " ")
        tree.write(target, encoding="utf-8")

    def _is_public(self, element):
        return self._in_public_file(element.get("filepath", ""))

    def _strip_foreign(self, element):
        """Leaves of foreign classes the outside only, and of ours the member functions that are exported or virtual."""
        for child in list(element):
            if child.tag in CLASSES and not self._is_public(child):
                for inner in list(child):
                    child.remove(inner)
            elif child.tag == "member-function":
                if child.get("vtable-offset") is None and "elf-symbol-id" not in child.find("function-decl").attrib:
                    element.remove(child)
                    continue
            elif child.tag == "member-type" and not self._is_public(child[0]):
                element.remove(child)
                continue
            self._strip_foreign(child)

    def _reachable(self, root):
        """The ids of all types that exported functions and public types lead to."""
        types, todo, found = {}, [], set()
        for element in root.iter():
            if "id" in element.attrib:
                types[element.get("id")] = element
            if element.tag in ("function-decl", "var-decl") and "elf-symbol-id" in element.attrib:
                todo.extend(_references(element))
            elif element.tag in TYPES and self._is_public(element):
                todo.append(element.get("id"))
        while todo:
            name = todo.pop()
            if name not in found and name in types:
                found.add(name)
                todo.extend(_references(types[name]))
        return found

    def _sweep(self, element, keep):
        for child in list(element):
            if child.tag in ("namespace-decl", "abi-instr"):
                self._sweep(child, keep)
                if len(child) == 0:
                    element.remove(child)
            elif child.tag in TYPES and child.get("id") not in keep:
                element.remove(child)
            elif child.tag in ("function-decl", "var-decl") and "elf-symbol-id" not in child.attrib:
                if element.tag in ("namespace-decl", "abi-instr"):
                    element.remove(child)

    def _show_types(self, root):
        """abidiff compares what it reaches from symbols, and some types are only mentioned, in the name of a template's
        instance. So each gets a symbol: "every duet::Options"."""
        symbols = root.find("elf-variable-symbols")
        if symbols is None:
            symbols = xml.SubElement(root, "elf-variable-symbols")
        types = xml.SubElement(root, "abi-instr", {"address-size": "64", "path": "types", "language": "LANG_C_plus_plus"})
        for name, kind in sorted(dict(self._public_types(root)).items()):
            symbols.append(xml.Element("elf-symbol", {
                "name": SHOWN + name, "type": "object-type", "binding": "global-binding",
                "visibility": "default-visibility", "is-defined": "yes"}))
            types.append(xml.Element("var-decl", {
                "name": SHOWN + name, "type-id": kind, "mangled-name": SHOWN + name, "visibility": "default",
                "elf-symbol-id": SHOWN + name}))

    def _public_types(self, element, scope=""):
        for child in element:
            name = scope + child.get("name", "")
            if child.tag in CLASSES + ("enum-decl",) and self._is_public(child):
                if child.get("is-anonymous"):
                    # An enumeration of plain constants is known by its first.
                    name = scope + child.find("enumerator").get("name") if child.tag == "enum-decl" else None
                if name and child.get("is-declaration-only") is None:
                    yield name, child.get("id")
            if child.tag in CLASSES + ("namespace-decl",):
                yield from self._public_types(child, name + "::")
            elif child.tag in ("abi-instr", "member-type"):
                yield from self._public_types(child, scope)


def _references(element):
    for part in element.iter():
        for attribute in ("type-id", "naming-typedef-id"):
            if attribute in part.attrib:
                yield part.get(attribute)


def shown_types(path):
    """The names of the public types that a reduced description has."""
    return {element.get("name").removeprefix(SHOWN) for element in xml.parse(path).getroot().iter("var-decl")
            if element.get("name", "").startswith(SHOWN)}


def functions_without_types(path):
    """The exported functions of which the description knows the symbol alone: compiled without debug information."""
    root = xml.parse(path).getroot()
    described = {element.get("elf-symbol-id") for element in root.iter("function-decl")}
    symbols = root.findall("elf-function-symbols/elf-symbol")
    # Constructors and destructors have several names for one body.
    families = {}
    for symbol in symbols:
        names = {symbol.get("name"), *(symbol.get("alias") or "").split(",")} - {""}
        family = set().union(names, *(families.get(name, set()) for name in names))
        for name in family:
            families[name] = family
    return sorted(symbol.get("name") for symbol in symbols if not families[symbol.get("name")] & described)
