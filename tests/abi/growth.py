"""Where the plugin ABI's rules and abidiff's differ.

Within a major version tables that carry their own size may grow at the end. (abidiff's own has_data_member_inserted_at also
lets pass what happens to members that are not at the end.) And enumerations do not get new values, which abidiff finds
harmless: a plugin that was built before would not know a new status. Only capabilities may be added."""

import xml.etree.ElementTree as xml

TABLES = ("duet_services", "duet_probe_result", "duet_connect_request", "duet_transport")


def tables(root):
    return {element.get("name"): element for element in root.iter("class-decl")
            if element.get("name") in TABLES and element.get("size-in-bits")}


def enumerations(path):
    """{first name: all names}"""
    found = [[one.get("name") for one in element.iter("enumerator")] for element in xml.parse(path).getroot().iter("enum-decl")]
    return {names[0]: names for names in found}


def added_values(baseline, present):
    """A line for each value that is new in an enumeration that is closed."""
    before = enumerations(baseline)
    return "".join(f"{name} is new among the values of {first}, …: older plugins and hosts would not know it\n"
                   for first, names in enumerations(present).items() if not first.startswith("DUET_CAPABILITY_")
                   for name in names if first in before and name not in before[first])


def cut_growth(baseline, present, target):
    """Writes `present` to `target` with its tables cut to the members that the baseline's have."""
    before = tables(xml.parse(baseline).getroot())
    tree = xml.parse(present)
    for name, table in tables(tree.getroot()).items():
        if name not in before:
            continue
        members = table.findall("data-member")
        added = members[len(before[name].findall("data-member")):]
        size = int(before[name].get("size-in-bits"))
        # What was put into a gap was not put at the end.
        if added and all(int(member.get("layout-offset-in-bits")) >= size for member in added):
            for member in added:
                table.remove(member)
            table.set("size-in-bits", str(size))
    tree.write(target, encoding="utf-8")
