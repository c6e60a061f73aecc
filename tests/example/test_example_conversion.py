"""The example's unit converter: what it reads in sentences, the definitions, and what it refuses."""

from fractions import Fraction

import pytest
from decimal_text import exact_decimal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tool_questions import NotAnswerable
from unit_conversion import convert
from unit_definitions import UNITS, Unit

EXACT = [
    ("convert 5 miles to kilometres", "5 miles = 8.04672 kilometres"),
    ("convert 5 miles to kilometers", "5 miles = 8.04672 kilometres"),
    ("how many feet are in a mile", "1 mile = 5280 feet"),
    ("how many inches is 3 yards", "3 yards = 108 inches"),
    ("what is 5 in in cm", "5 inches = 12.7 centimetres"),
    ("12.7 cm to in", "12.7 centimetres = 5 inches"),
    ("5'11\" in cm", "5 feet 11 inches = 180.34 centimetres"),
    ("5ft3in in cm", "5 feet 3 inches = 160.02 centimetres"),
    ("if i have four inches, how many centimeters is that", "4 inches = 10.16 centimetres"),
    ("a quarter of a mile in feet", "0.25 miles = 1320 feet"),
    ("10 nautical miles in km", "10 nautical miles = 18.52 kilometres"),
    ("1 light year in km", "1 light-year = 9460730472580.8 kilometres"),
    ("how do you convert pounds to kilos", "1 pound = 0.45359237 kilograms"),
    ("10 stone 4 pounds in kg", "10 stone 4 pounds = 65.31730128 kilograms"),
    ("½ lb in g", "0.5 pounds = 226.796185 grams"),
    ("1,500 g in kg", "1500 grams = 1.5 kilograms"),
    ("8 ounces to grams", "8 ounces = 226.796185 grams"),
    ("how many ounces in a cup", "1 US cup = 8 US fluid ounces"),
    ("98.6 F in celsius", "98.6 degrees Fahrenheit = 37 degrees Celsius"),
    ("-40 °C to °F", "-40 degrees Celsius = -40 degrees Fahrenheit"),
    ("minus 40 degrees celsius in fahrenheit", "-40 degrees Celsius = -40 degrees Fahrenheit"),
    ("0 K in C", "0 kelvins = -273.15 degrees Celsius"),
    ("what is 3 cups in ml", "3 US cups = 709.7647095 millilitres"),
    ("2 gallons to litres", "2 US gallons = 7.570823568 litres"),
    ("2 imperial gallons to liters", "2 imperial gallons = 9.09218 litres"),
    ("1 cubic foot in litres", "1 cubic foot = 28.316846592 litres"),
    ("1 acre in m2", "1 acre = 4046.8564224 square metres"),
    ("2 square feet in cm²", "2 square feet = 1858.0608 square centimetres"),
    ("60 mph to m/s", "60 miles per hour = 26.8224 metres per second"),
    ("5 knots in kilometres per hour", "5 knots = 9.26 kilometres per hour"),
    ("how many minutes in 2 hours and 30 minutes", "2 hours 30 minutes = 150 minutes"),
    ("1 year in days", "1 Julian year = 365.25 days"),
    ("1 GiB in MB", "1 gibibyte = 1073.741824 megabytes"),
    ("500 mb to gb", "500 megabytes = 0.5 gigabytes"),
    ("100 Mbps in MB/s", "100 megabits per second = 12.5 megabytes per second"),
    ("1 kWh in MJ", "1 kilowatt-hour = 3.6 megajoules"),
    ("500 kcal to kJ", "500 kilocalories = 2092 kilojoules"),
    ("1 horsepower in watts", "1 mechanical horsepower = 745.69987158227022 watts"),
    ("1 atm in kPa", "1 standard atmosphere = 101.325 kilopascals"),
    ("1 degree in minutes", "1 degree = 60 arcminutes"),
    ("90 degrees in gradians", "90 degrees = 100 gradians"),
    ("1 g/cm3 in kg per cubic metre", "1 gram per cubic centimetre = 1000 kilograms per cubic metre"),
]
ROUNDED = [
    ("how many ounces in 2.5 kg", "88.18490487395103"),
    ("10 hectares to acres", "24.71053814671653"),
    ("300 °F to K", "422.0388888888889"),
    ("30 psi in kPa", "206.8427187950508"),
    ("180 degrees in radians", "3.141592653589793"),
    ("1 radian in degrees", "57.29577951308232"),
    ("1 parsec in light-years", "3.261563777167434"),
]
REFUSALS = {
    "convert 5 parsnips to metres": "parsnips",
    "convert 5 km to parsnips": "parsnips",
    "how many crows are in 10 murders": "murders",
    "32 degrees fahrenheit in celsisus": "did you mean degrees Celsius",
    "5 kg in metres": "same thing",
    "3 tons in kg": "tonnes, short tons, long tons",
    "200 calories in kilojoules": "small calories, kilocalories",
    "72 degrees in celsius": "degrees Celsius, degrees Fahrenheit",
    "5 mw in W": "milliwatts, megawatts",
    "-300 C in F": "absolute zero",
    "10 C 5 F in K": "not added up",
    "10 inches in centimeters and millimeters": "more than one",
    "98.6 to celsius": "no unit after 98.6",
    "5-10 km in miles": "no unit after 5",
    "twice 5 miles in km": "arithmetic",
    "72 F": "what to convert",
    "hello": "what to convert",
    "": "empty",
    "5 km in miles " * 200: "2,000",
}


@pytest.mark.parametrize(("sentence", "answer"), EXACT)
def test_quantity_is_converted_exactly(sentence: str, answer: str) -> None:
    """The numbers follow from the definitions of the units; the wording is ours."""
    found = convert(sentence)
    assert (found.answer, found.exact) == (answer, True)
    assert found.answer == f"{found.quantity} = {found.answer.partition(' = ')[2]}"


@pytest.mark.parametrize(("sentence", "value"), ROUNDED)
def test_result_without_a_decimal_end_is_rounded_and_says_so(sentence: str, value: str) -> None:
    """Ours: sixteen significant digits, and a line that does not claim equality."""
    found = convert(sentence)
    assert (found.value, found.exact) == (value, False)
    assert "≈" in found.answer


@pytest.mark.parametrize(("sentence", "needle"), REFUSALS.items())
def test_what_cannot_be_converted_is_refused_with_a_reason(sentence: str, needle: str) -> None:
    """Ours: unknown and ambiguous units are named, with what is known."""
    with pytest.raises(NotAnswerable, match=needle):
        convert(sentence)


def test_typed_fields_name_both_units_and_what_they_measure() -> None:
    """Ours: a program needs no parsing of the line."""
    found = convert("5 feet 11 inches in metres")
    assert (found.from_unit, found.to_unit, found.dimension) == ("feet + inches", "metres", "length")
    assert (found.quantity, found.value) == ("5 feet 11 inches", "1.8034")


def unambiguous(unit: Unit) -> bool:
    sharing = [other for other in UNITS if unit.names[1].lower() in {name.lower() for name in other.names}]
    return all((other.scale, other.offset) == (unit.scale, unit.offset) for other in sharing)


PAIRS = [
    (one, two)
    for one in UNITS
    for two in UNITS
    if one.dimension == two.dimension and one.pi_power == two.pi_power and unambiguous(one) and unambiguous(two)
]


@given(st.sampled_from(PAIRS), st.integers(0, 10**6))
@settings(deadline=None)
def test_conversion_there_and_back_is_the_identity(pair: tuple[Unit, Unit], number: int) -> None:
    """The algebra: what converts exactly converts back to the number that it was."""
    one, two = pair
    there = convert(f"{number} {one.names[1]} to {two.names[1]}")
    assume(there.exact and not there.value.startswith("-"))
    back = convert(f"{there.value} {two.names[1]} to {one.names[1]}")
    assert (back.value, back.exact) == (exact_decimal(Fraction(number)), True)
