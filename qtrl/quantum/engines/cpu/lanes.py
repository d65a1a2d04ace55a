"""Eight float32 numbers as one value in numba code: the SIMD vectors that the sweeps are written with.

numba itself knows no vectors, and LLVM finds none where neighbouring amplitudes mix. The operations below are LLVM
vector instructions, which exist on every target; a processor with narrower registers gets several instructions.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

LANES = 8  # numbers in a vector: three bits of a basis index

_I32, _F32 = ir.IntType(32), ir.FloatType()
_FLOATS, _INTS = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)
MOVES_LANES = "+avx2" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")
"""Whether `load_permuted` may be used on the processor that numba compiles for."""


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__("vector of eight float32")


vector = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: types.Type) -> None:
        super().__init__(manager, numba_type, _FLOATS)


def _lanes(*numbers: int) -> ir.Constant:
    return ir.Constant(_INTS, list(numbers))


def _pointer(context: Any, builder: Any, array_type: types.Type, array: Any, index: Any, pointee: ir.Type) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(pointee))


def _call(builder: Any, name: str, kind: ir.Type, arguments: list[Any]) -> Any:
    function_type = ir.FunctionType(kind, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Read the eight numbers of a float32 array from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], *arguments, _FLOATS), align=4)

    return vector(array, index), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight numbers into a float32 array from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], _FLOATS)
        builder.store(arguments[2], target, align=4)
        return context.get_dummy_value()

    return types.void(array, index, value), generate


@intrinsic
def gather(typing_context: Any, array: Any, indices: Any, index: Any) -> Any:
    """Read eight numbers of a float32 array, at the places that an int32 array holds from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, places, first = arguments
        result = ir.Constant(_FLOATS, ir.Undefined)
        for lane in range(LANES):
            at = builder.add(first, ir.Constant(first.type, lane))
            place = builder.load(_pointer(context, builder, signature.args[1], places, at, _I32))
            place = builder.sext(place, ir.IntType(64))
            number = builder.load(_pointer(context, builder, signature.args[0], numbers, place, _F32))
            result = builder.insert_element(result, number, ir.Constant(_I32, lane))
        return result

    return vector(array, indices, index), generate


@intrinsic
def load_permuted(typing_context: Any, array: Any, indices: Any, index: Any) -> Any:
    """Do what `gather` does where all eight places lie in one aligned vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, places, first = arguments
        order = builder.load(_pointer(context, builder, signature.args[1], places, first, _INTS), align=4)
        start = builder.load(_pointer(context, builder, signature.args[1], places, first, _I32))
        start = builder.and_(start, ir.Constant(_I32, -LANES))
        start = builder.sext(start, ir.IntType(64))
        whole = builder.load(_pointer(context, builder, signature.args[0], numbers, start, _FLOATS), align=4)
        return _call(builder, "llvm.x86.avx2.permps", _FLOATS, [whole, order])

    return vector(array, indices, index), generate


@intrinsic
def splat(typing_context: Any, number: Any) -> Any:
    """Return eight times the same float32 number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        empty = ir.Constant(_FLOATS, ir.Undefined)
        single = builder.insert_element(empty, arguments[0], ir.Constant(_I32, 0))
        return builder.shuffle_vector(single, empty, _lanes(*[0] * LANES))

    return vector(types.float32), generate


def _binary(operation: str) -> Any:
    @intrinsic
    def combine(typing_context: Any, a: Any, b: Any) -> Any:
        return vector(vector, vector), lambda context, builder, signature, both: getattr(builder, operation)(*both)

    return combine


multiply, add, subtract = _binary("fmul"), _binary("fadd"), _binary("fsub")


def _fused(negative: bool) -> Any:
    @intrinsic
    def fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, b, c = arguments
            return _call(builder, "llvm.fmuladd.v8f32", _FLOATS, [builder.fneg(b) if negative else b, c, a])

        return vector(vector, vector, vector), generate

    return fused


plus_product, minus_product = _fused(negative=False), _fused(negative=True)
"""a + b * c, and a - b * c, fused where the processor can."""


def _exchange(mask: int) -> Any:
    @intrinsic
    def exchange(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.shuffle_vector(arguments[0], arguments[0], _lanes(*(lane ^ mask for lane in range(LANES))))

        return vector(vector), generate

    return exchange


exchange_1, exchange_2, exchange_4 = _exchange(1), _exchange(2), _exchange(4)
"""Exchange the lanes whose indices differ in one bit."""


@intrinsic
def total(typing_context: Any, value: Any) -> Any:
    """Return the sum of the eight numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = [builder.extract_element(arguments[0], ir.Constant(_I32, lane)) for lane in range(LANES)]
        while len(numbers) > 1:
            numbers = [builder.fadd(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        return numbers[0]

    return types.float32(vector), generate
