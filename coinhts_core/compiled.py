"""Compiled loops, kept on disk.

What lives here: `compiled`, the way to have a function compiled, and `borrowing`, for inner loops. What stays out: the
loops (the rooms).

A kept function holds the code of those it calls, but numba only looks whether its own file has changed. So what is kept
here is also marked with the text of the files it calls into: a changed fill table never goes on in an old sweep.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.cgutils import get_or_insert_function
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

A_LINE = 8  # numbers of 64 bits are fetched together
_TO_READ, _FOR_LONG, _OF_DATA = 0, 3, 1  # as LLVM numbers what is to be fetched

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiled at its first call, or found on disk; other threads go on while it runs.

    Where nothing can be written, every process compiles anew.
    """
    return _kept(function)


def borrowing(function: Function) -> Function:
    """Compiled to work on arrays that its caller holds: it makes none, and hands none back.

    So it need not count who refers to them. Counting takes two atomic steps for every array that is handed on, and in
    small functions that is most of what they cost. The option is numba's own; a test sees that it works.
    """
    return _kept(function, _nrt=False)


def fetch_ahead(numbers: Any, place: int) -> None:
    """Have the processor fetch a number and its neighbours while it goes on: who reads them soon need not wait.

    The place may be beyond the array: what nobody can read is not fetched. Python itself does not fetch ahead.
    """


def _fetch(_: Any, numbers: Any, place: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = cast("Any", make_array)(signature.args[0])(context, builder, arguments[0])
        flag = ir.IntType(32)
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
        fetch = cast("Any", get_or_insert_function)(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(fetch, [address, flag(_TO_READ), flag(_FOR_LONG), flag(_OF_DATA)])
        return context.get_dummy_value()

    return types.void(numbers, place), emit


_fetched = cast("Any", intrinsic)(_fetch)


def _as_compiled(numbers: Any, place: Any) -> Callable[[Any, Any], Any]:  # noqa: ARG001 - of whatever types
    def fetching(numbers: Any, place: Any) -> Any:
        return _fetched(numbers, place)

    return fetching


cast("Any", overload)(fetch_ahead)(_as_compiled)


def _kept(function: Function, **options: bool) -> Function:
    dispatcher: Any = cast("Any", njit)(nogil=True, **options)(function)
    with suppress(RuntimeError):
        dispatcher._cache = _MarkedCache(function, options)  # noqa: SLF001 - numba has no door; a test sees that it works
    return cast("Function", dispatcher)


class _MarkedCache(FunctionCache):
    """Finds a function only while its callees, and how it is compiled, are what they were."""

    def __init__(self, function: Any, options: Mapping[str, bool]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        files = _files_called(function, set())
        self._mark = sha256("".join([*sorted(map(_text, files)), str(options)]).encode()).hexdigest()

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(signature, codegen), self._mark)  # type: ignore[no-untyped-call]


def _files_called(function: Any, found: set[Path]) -> set[Path]:
    """Of the compiled functions that its module has imported, and of those that theirs have."""
    for callee in function.__globals__.values():
        if isinstance(callee, Dispatcher):
            file = Path(callee.py_func.__code__.co_filename)
            if file not in found:
                found.add(file)
                _files_called(callee.py_func, found)
    return found


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
