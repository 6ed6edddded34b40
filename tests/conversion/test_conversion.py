"""Units and axes in words: the map that they say, and what cannot be said."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.conversion.conversion import ConversionError, Measured, conversion
from larnn_service.conversion.units import UNITS, of_dimension, unit
from larnn_service.inputs import Frame, Input, Range
from larnn_service.outputs import Channel

PHONE = Input(
    channels=tuple(
        Channel(name=f"{sensor}_{axis}", unit=own)
        for sensor, own in (("acc", "g"), ("gyro", "rad/s"))
        for axis in "xyz"
    )
)
STEP = np.array([[1, 2, 3, 4, 5, 6]], np.float32)


def said(units: str = "", axes: str = "", step: Input = PHONE) -> Measured | None:
    found = conversion(step, "phone", units, axes)
    return None if found is None else found.measured


def made(units: str = "", axes: str = "") -> list[float]:
    found = conversion(PHONE, "phone", units, axes)
    assert found is not None
    [step] = found(STEP).tolist()
    return list(step)


@pytest.mark.parametrize(
    ("units", "step"),
    [
        ("m/s²", [1 / 9.80665, 2 / 9.80665, 3 / 9.80665, 4, 5, 6]),
        ("acc=mg", [0.001, 0.002, 0.003, 4, 5, 6]),
        ("acc_y=mg", [1, 0.002, 3, 4, 5, 6]),
        ("acc_y=g,mg", [0.001, 2, 0.003, 4, 5, 6]),
        ("gyro=deg/s", [1, 2, 3, *np.deg2rad([4, 5, 6])]),
        ("°/s , m/s^2", [*np.array([1, 2, 3]) / 9.80665, *np.deg2rad([4, 5, 6])]),
    ],
)
def test_numbers_are_converted_and_rounded_once(units: str, step: list[float]) -> None:
    assert made(units) == np.array(step, np.float32).tolist()


@pytest.mark.parametrize(
    ("axes", "step"),
    [
        ("-x-y-z", [-1, -2, -3, -4, -5, -6]),
        ("acc=-x-y-z", [-1, -2, -3, 4, 5, 6]),
        ("gyro=-yxz", [1, 2, 3, -5, 4, 6]),
        ("zxy,acc=x+y-z", [1, 2, -3, 6, 4, 5]),
        ("acc_x=-acc_y,acc_y=acc_x", [-2, 1, 3, 4, 5, 6]),
        ("acc_z=-acc_z", [1, 2, -3, 4, 5, 6]),
        (
            ",".join(
                f"{a}_{i}={b}_{i}" for a, b in (("acc", "gyro"), ("gyro", "acc")) for i in "xyz"
            ),
            [4, 5, 6, 1, 2, 3],
        ),
    ],
)
def test_axes_say_which_number_each_channel_is(axes: str, step: list[float]) -> None:
    assert made(axes=axes) == step


def test_a_unit_is_said_of_the_channel_that_it_becomes() -> None:
    assert made("acc=mg", "acc_x=gyro_x,gyro_x=acc_x")[:4] == pytest.approx(
        [0.004, 0.002, 0.003, 1]
    )


@pytest.mark.parametrize("axes", ["acc_x=+-acc_x", "acc_x=--acc_x", "acc=+-x+yz", "acc=--xyz"])
def test_a_sign_is_one_sign(axes: str) -> None:
    with pytest.raises(ConversionError, match="axes"):
        made(axes=axes)


@pytest.mark.parametrize(
    ("units", "axes"),
    [("", ""), ("g", "xyz"), ("g,rad/s", ""), ("acc_x=g", "acc_x=acc_x"), (" ", " ")],
)
def test_what_changes_nothing_costs_nothing(units: str, axes: str) -> None:
    assert conversion(PHONE, "phone", units, axes) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("m/s2", ""), ("acc_x=m/s^2,acc_y=m/s²,acc_z=m/s²", "xyz")),
        (("", "acc=-yxz"), ("g", "acc_y=acc_x,acc_x=-acc_y")),
        (("dps", "-x-y-z"), ("gyro=deg/s", "acc=-x-y-z,gyro=-x-y-z")),
    ],
)
def test_what_says_the_same_is_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert said(*one) == said(*other) is not None


signed = st.permutations("xyz").flatmap(
    lambda axes: st.tuples(*(st.sampled_from([axis, f"-{axis}"]) for axis in axes))
)


@given(
    st.sampled_from(["", *of_dimension("acceleration")]),
    st.sampled_from(["", *of_dimension("angular velocity")]),
    signed,
    signed,
)
def test_what_is_told_says_the_same_again(acc: str, gyro: str, one: str, other: str) -> None:
    units = ",".join(filter(None, (acc, gyro)))
    found = conversion(PHONE, "phone", units, f"acc={''.join(one)},gyro={''.join(other)}")
    again = found and conversion(PHONE, "phone", *found.measured)
    if found is not None and again is not None:
        assert again.measured == found.measured
        np.testing.assert_array_equal(again(STEP), found(STEP))
    else:
        assert found is None


@st.composite
def described(draw: st.DrawFn) -> tuple[Input, str, str]:
    """Steps whose channels have any names, and what somebody may say of them."""
    stems = st.text("ac,=+- _.", max_size=3)
    names: list[str] = []
    for stem in draw(st.lists(stems, min_size=1, max_size=3, unique=True)):
        names += draw(st.sampled_from([[stem], [stem + axis for axis in "xyz"]]))
    owns = st.sampled_from(["g", "m/s²", "K", "counts", ""])
    channels = [Channel(name=name, unit=draw(owns)) for name in dict.fromkeys(names)]
    called = st.sampled_from([*names, *(name[:-1].rstrip("_-. ") for name in names)])
    turned = signed.map("".join)
    source = st.builds(lambda sign, name: sign + name, st.sampled_from(["", "-", "+"]), called)
    axes = st.one_of(
        turned, st.builds(lambda one, other: f"{one}={other}", called, turned | source)
    )
    swapped = st.builds(lambda one, other: f"{one}=-{other},{other}={one}", called, called)
    unit_names = st.sampled_from(["g", "mg", "m/s²", "°C", "K", "counts"])
    units = unit_names | st.builds(lambda name, one: f"{name}={one}", called, unit_names)
    said_units = ",".join(draw(st.lists(units, max_size=3)))
    said_axes = ",".join(draw(st.lists(axes | swapped, max_size=3)))
    return Input(channels=tuple(channels)), said_units, said_axes


@given(described())
def test_whatever_is_accepted_reads_back_as_the_same_map(about: tuple[Input, str, str]) -> None:
    step, units, axes = about
    try:
        found = conversion(step, "it", units, axes)
    except ConversionError:
        return
    if found is not None:
        again = conversion(step, "it", *found.measured)
        assert again is not None
        assert again.measured == found.measured
        np.testing.assert_array_equal(again.sources, found.sources)
        np.testing.assert_array_equal(again.factors, found.factors)
        np.testing.assert_array_equal(again.offsets, found.offsets)


def of_names(*names: str) -> Input:
    return Input(channels=tuple(Channel(name=name, unit="g") for name in names))


XYZ = ("acc_x", "acc_y", "acc_z")


@pytest.mark.parametrize(
    ("step", "axes", "told"),
    [
        (of_names("x", "y", "z"), "-yxz", "x=-y,y=x"),
        (of_names("x", "y", "z", *XYZ), "-yxz", "acc=-yxz,x=-y,y=x"),
        (of_names("acc", *XYZ), "-yxz", "acc_x=-acc_y,acc_y=acc_x"),
        (of_names("acc-x", "acc-y", "acc-z", *XYZ), "x-yz", "acc-y=-acc-y,acc_y=-acc_y"),
        (of_names("acc x", "acc y"), "acc x=-acc y, acc y = + acc x", "acc x=-acc y,acc y=acc x"),
        (of_names("a=bx", "a=by", "a=bz"), "-yxz", None),
        (of_names("acc-x", "acc-y", "acc-z", *XYZ), "acc=-yxz", None),
        (of_names("a", "b"), "a=-a,a=a", None),
        (of_names(*XYZ), "acc=-yxz,acc=xyz", None),
    ],
)
def test_axes_are_told_by_names_that_are_one_things(
    step: Input, axes: str, told: str | None
) -> None:
    if told is None:
        with pytest.raises(ConversionError):
            conversion(step, "it", axes=axes)
    else:
        assert said(axes=axes, step=step) == Measured("", told)


def test_what_is_told_is_no_longer_than_what_may_be_said() -> None:
    many = of_names(*(f"sensor{n}_{axis}" for n in range(1_200) for axis in "xyz"))
    assert said(axes="x-yz", step=of_names(*XYZ)) is not None
    with pytest.raises(ConversionError, match="at most"):
        conversion(many, "it", axes="x-yz")


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_goes_there_and_back(name: str) -> None:
    one = UNITS[name]
    first = of_dimension(one.dimension)[0]
    there = conversion(Input(channels=(Channel(name="a", unit=first),)), "it", name)
    back = conversion(Input(channels=(Channel(name="a", unit=name),)), "it", first)
    numbers = np.array([[-40.0], [0.0], [1.5]], np.float32)
    changed = numbers if there is None else there(numbers)
    returned = changed if back is None else back(changed)
    np.testing.assert_allclose(returned, numbers, rtol=1e-5, atol=1e-4 if one.offset else 0)
    np.testing.assert_allclose(changed, numbers * one.factor + one.offset, rtol=1e-6)


def test_temperatures_have_an_offset() -> None:
    kelvin = Input(channels=(Channel(name="t", unit="K"),))
    fahrenheit = conversion(kelvin, "it", "°F")
    assert fahrenheit is not None
    assert fahrenheit(np.array([[32.0], [212.0]])).ravel() == pytest.approx([273.15, 373.15])
    assert unit("degC") == unit("°C")


def test_ranges_and_frames_have_one_unit() -> None:
    electrodes = Input(range=Range(prefix="e", count=64, unit="µV"))
    assert said("mV", step=electrodes) == Measured("mV")
    assert said("mV", "e3=-e5,e5=e3", electrodes) == Measured("mV", "e3=-e5,e5=e3")
    sound = Input(frame=Frame(samples=160, unit="Pa"))
    assert said("mbar", step=sound) == Measured("mbar")
    with pytest.raises(ConversionError, match="samples, which have no axes"):
        conversion(sound, "sound", axes="-x-y-z")


@pytest.mark.parametrize(
    ("units", "axes", "says"),
    [
        ("furlong", "", "'furlong' is no unit that is known; phone takes m/s², cm/s², g, mg"),
        ("acc=furlong", "", "no unit that is known; phone takes m/s², cm/s², g, mg, ft/s²$"),
        ("T", "", "T is a unit of magnetic flux density, and no channel of phone is: .* g, rad/s"),
        ("acc=deg/s", "", "angular velocity; acc_x of phone takes acceleration: m/s², cm/s², g"),
        ("G", "", "G is a unit of magnetic flux density"),
        ("m/s²,mg", "", "m/s² and mg are both units of acceleration; say one"),
        ("bar=g", "", "'bar' is no channel of phone; it has acc_x, .* and the triples acc, gyro"),
        ("", "xxz", "'xxz' is no signed permutation; write each of x, y and z once"),
        ("", "acc=xy", "no signed permutation"),
        ("", "acc=-x-y-w", "no signed permutation"),
        ("", "acc_x=-acc_y", "the sent acc_y would be 2 channels, the sent acc_x none"),
        ("", "acc_x=gyro", "'gyro' is a triple; name one of its channels"),
        ("", "acc_x=0.5", "'0.5' is no channel of phone"),
        ("", "xyz,zyx", "one item for all triples"),
        ("", ",", "one item for all triples"),
        ("acc_x=g,acc_x=mg", "", "acc_x: say one thing of it"),
        ("acc=g,acc=mg", "", "acc_x, acc_y, acc_z: say one thing of it"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(units: str, axes: str, says: str) -> None:
    with pytest.raises(ConversionError, match=says):
        conversion(PHONE, "phone", units, axes)


@pytest.mark.parametrize("long", ["x" * 10_000, "x" * 10_000 + "=g", "acc_x=" + "y" * 10_000])
@pytest.mark.parametrize("place", [0, 1])
def test_an_error_repeats_little_of_a_long_text(long: str, place: int) -> None:
    said = ("", long) if place else (long, "")
    with pytest.raises(ConversionError) as told:
        conversion(PHONE, "phone", *said)
    assert len(str(told.value)) < 400
    with pytest.raises(ConversionError, match="at most"):
        conversion(PHONE, "phone", *(2 * text for text in said))


def test_a_unit_that_is_not_known_is_converted_from_none() -> None:
    odd = Input(channels=(Channel(name="a", unit="counts"),))
    assert said("a=counts", step=odd) is None
    with pytest.raises(ConversionError, match="is in 'counts', into which no other unit"):
        conversion(odd, "it", "a=V")
    with pytest.raises(ConversionError, match="no channel NAME_x|no channels NAME_x"):
        conversion(odd, "it", axes="-x-y-z")


def test_no_long_text_is_remembered() -> None:
    """A unit's text is its client's, and what is remembered of all of them is bounded."""
    tracemalloc.start()
    try:
        for index in range(1_100):
            with pytest.raises(ConversionError, match="is no unit that is known"):
                conversion(PHONE, "phone", f"{index}{'x' * 10_000}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2**20
