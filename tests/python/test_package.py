"""What belongs to a package: an example that runs, stubs that name what there is, words about each thing."""

import ast
import inspect
import os
import pathlib
import subprocess
import sys

import pytest
import sapbuf

PACKAGE = pathlib.Path(sapbuf.__file__).parent


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def stubs():
    """The names that each class of the stubs has, with those of its bases."""
    classes = {}
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef):
            names = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
            for base in node.bases:
                names |= classes.get(getattr(base, "id", None), set())
            classes[node.name] = names
    return classes


def classes():
    return {name: thing for name, thing in vars(sapbuf).items() if inspect.isclass(thing)}


def test_the_first_program_runs(name):
    program = pathlib.Path(os.environ["SAPBUF_EXAMPLES"]) / "first_program.py"
    output = subprocess.run([sys.executable, program, name], capture_output=True, text=True, check=True).stdout
    assert output == "".join(f"7: {price}, a chart of 1048576\n" for price in (99.5, 99.25, 99.75))


def test_the_first_program_is_the_readmes():
    program = pathlib.Path(os.environ["SAPBUF_EXAMPLES"]) / "first_program.py"
    readme = (program.parents[2] / "README.md").read_text()
    assert f"```python\n{program.read_text()}```" in readme


def test_stubs_name_what_there_is():
    known = stubs()
    assert {name for name in known if not name.startswith("_")} == set(classes())
    for name, thing in classes().items():
        if not issubclass(thing, Exception):
            there = set().union(*(public(base) for base in thing.__mro__ if base is not object))
            assert {member for member in known[name] if not member.startswith("_")} == there, name
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", sorted(classes()))
def test_everything_has_a_docstring(name):
    thing = getattr(sapbuf, name)
    assert inspect.getdoc(thing)
    for member in public(thing) - {"type", "key", "name", "created", "max_message_bytes", "max_value_bytes", "block_bytes",
                                   "is_closed", "is_released", "is_ended"}:
        assert inspect.getdoc(inspect.getattr_static(thing, member)), member


def test_errors_are_all_of_one_kind():
    errors = [thing for thing in classes().values() if issubclass(thing, Exception)]
    assert len(errors) > 20 and all(issubclass(error, sapbuf.Error) for error in errors)
