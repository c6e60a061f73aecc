"""Units of measurement with their exact definitions: what one is worth in its dimension's base unit.

Base units: metre, square metre, cubic metre, kilogram, second, kelvin, metre per second, byte, byte per second, joule,
watt, pascal, degree. Every factor is a definition, not a measurement; where it comes from stands beside it. Knows no
sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["UNITS", "Unit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit.

    names: read in any case; the first is the singular and the second the plural that answers show. Several units may
        share a name: what the other side of the conversion measures decides, and if that does not, nobody can.
    symbols: read in their own case first (Mb is not MB).
    scale, offset, pi_power: a value v of it is (v + offset) * scale * pi**pi_power base units.
    """

    dimension: str
    names: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    scale: Fraction
    offset: Fraction = Fraction(0)
    pi_power: int = 0


_PREFIXES = {
    "nano": ("n", -9), "micro": ("\N{GREEK SMALL LETTER MU}", -6), "milli": ("m", -3), "centi": ("c", -2),
    "deci": ("d", -1), "": ("", 0), "hecto": ("h", 2), "kilo": ("k", 3), "mega": ("M", 6), "giga": ("G", 9),
    "tera": ("T", 12),
}  # fmt: skip
_BINARY_PREFIXES = {"kibi": ("Ki", 10), "mebi": ("Mi", 20), "gibi": ("Gi", 30), "tebi": ("Ti", 40)}

# International yard and pound agreement of 1959: a yard is 0.9144 m, a pound 0.45359237 kg.
_FOOT = Fraction("0.3048")
_INCH = _FOOT / 12
_MILE = 5280 * _FOOT
_POUND = Fraction("0.45359237")
# US gallon: 231 cubic inches. Imperial gallon: 4.54609 litres (UK Weights and Measures Act 1985).
_US_GALLON = 231 * _INCH**3
_IMPERIAL_GALLON = Fraction("0.00454609")
# Standard gravity (3rd CGPM, 1901) makes a force of a mass.
_GRAVITY = Fraction("9.80665")
# Conventional millimetre of mercury: of density 13,595.1 kg/m3, under standard gravity.
_MILLIMETRE_OF_MERCURY = Fraction("13.5951") * _GRAVITY
# The Julian year of 365.25 days (IAU), and a month as a twelfth of it.
_DAY = Fraction(86_400)
_YEAR = Fraction("365.25") * _DAY
_LIGHT_SPEED = Fraction(299_792_458)  # SI, 2019
_ASTRONOMICAL_UNIT = Fraction(149_597_870_700)  # IAU 2012, resolution B2
_BTU = Fraction("1055.05585262")  # International Table British thermal unit, 1956


_KITCHEN_ABBREVIATIONS = {
    "gallon": "gal", "quart": "qt", "pint": "pt", "cup": "cups", "fluid ounce": "fl oz", "tablespoon": "tbsp",
    "teaspoon": "tsp",
}  # fmt: skip


def _unit(dimension: str, scale: str | Fraction, names: str, symbols: str = "") -> Unit:
    """A unit with its names parted by commas and its symbols by spaces; a single name gets a plural in -s."""
    listed = tuple(name.strip() for name in names.split(","))
    if len(listed) == 1:
        listed += (f"{listed[0]}s",)
    return Unit(dimension=dimension, names=listed, symbols=tuple(symbols.split()), scale=Fraction(scale))


def _prefixed(dimension: str, scale: str | Fraction, stems: str, symbol: str, prefixes: str) -> Iterator[Unit]:
    """The unit with each of these SI prefixes ('-' is none); stems are parted by commas."""
    for prefix in (word.replace("-", "") for word in prefixes.split()):
        sign, exponent = _PREFIXES[prefix]
        signs = [sign, "\N{MICRO SIGN}"] if prefix == "micro" else [sign]
        names = ", ".join(f"{prefix}{stem.strip()}" for stem in stems.split(","))
        symbols = " ".join(f"{each}{one}" for each in signs for one in symbol.split())
        yield _unit(dimension, Fraction(scale) * Fraction(10) ** exponent, names, symbols)


def _measures(system: str, gallon: Fraction, shares: dict[str, int]) -> Iterator[Unit]:
    """Kitchen measures of one country, as shares of its gallon; without a country's name they are US measures."""
    for name, share in shares.items():
        short = _KITCHEN_ABBREVIATIONS[name]
        kinds = ["US ", ""] if system == "US" else ["imperial ", "UK ", "British "]
        names = ", ".join(f"{kind}{name}, {kind}{name}s, {kind}{short}" for kind in kinds)
        yield _unit("volume", gallon / share, names)


def _lengths() -> Iterator[Unit]:
    yield from _prefixed("length", "1", "metre, metres, meter, meters", "m", "nano micro milli centi deci - kilo")
    yield _unit("length", _INCH, "inch, inches")
    yield _unit("length", _FOOT, "foot, feet", "ft")
    yield _unit("length", 3 * _FOOT, "yard", "yd yds")
    yield _unit("length", _MILE, "mile, miles, statute mile, statute miles", "mi")
    yield _unit(
        "length", "1852", "nautical mile, nautical miles, sea mile, sea miles", "nmi NM"
    )  # hydrographic conference of Monaco, 1929
    yield _unit("length", 6 * _FOOT, "fathom")
    yield _unit("length", 660 * _FOOT, "furlong")
    yield _unit("length", _ASTRONOMICAL_UNIT, "astronomical unit", "au AU")
    yield _unit("length", _LIGHT_SPEED * _YEAR, "light-year", "ly")
    yield Unit(  # IAU 2015, resolution B2: 648,000/pi astronomical units
        dimension="length",
        names=("parsec", "parsecs"),
        symbols=("pc",),
        scale=648_000 * _ASTRONOMICAL_UNIT,
        pi_power=-1,
    )


def _masses() -> Iterator[Unit]:
    yield from _prefixed("mass", "1/1000", "gram, grams, gramme, grammes", "g", "micro milli - kilo")
    yield _unit("mass", "1000", "tonne, tonnes, metric ton, metric tons, ton, tons", "t")
    yield _unit("mass", "1", "kilogram, kilograms, kilo, kilos", "kgs")
    yield _unit("mass", "1/1000000000", "microgram", "mcg")
    yield _unit("mass", _POUND / 7000, "grain", "gr")
    yield _unit("mass", _POUND / 16, "ounce", "oz")
    yield _unit("mass", _POUND, "pound", "lb lbs")
    yield _unit("mass", 14 * _POUND, "stone, stone, stones", "st")
    yield _unit("mass", 2000 * _POUND, "short ton, short tons, US ton, US tons, ton, tons")
    yield _unit("mass", 2240 * _POUND, "long ton, long tons, imperial ton, imperial tons, UK ton, UK tons, ton, tons")
    yield _unit("mass", 480 * _POUND / 7000, "troy ounce", "ozt")
    yield _unit("mass", "0.0002", "carat", "ct")  # metric carat, 4th CGPM, 1907


def _temperatures() -> Iterator[Unit]:
    yield _unit("temperature", "1", "kelvin, kelvins, degree kelvin, degrees kelvin", "K")
    yield _unit("temperature", "5/9", "degree Rankine, degrees Rankine, Rankine")
    for name, short, scale, offset in (
        ("Celsius, centigrade, celcius", "C", Fraction(1), "273.15"),
        ("Fahrenheit, farenheit", "F", Fraction(5, 9), "459.67"),
    ):
        spellings = name.split(", ")
        degrees = [f"{degree} {each}" for each in (*spellings, short) for degree in ("degree", "degrees", "deg")]
        yield Unit(
            dimension="temperature",
            names=(*degrees, *spellings, "degree", "degrees"),
            symbols=(short,),
            scale=scale,
            offset=Fraction(offset),
        )


def _areas_and_volumes() -> Iterator[Unit]:
    yield _unit("area", "10000", "hectare", "ha")
    yield _unit("area", 43_560 * _FOOT**2, "acre")
    yield from _prefixed("volume", "1/1000", "litre, litres, liter, liters", "L l", "micro milli centi deci - hecto")
    kitchen = {"gallon": 1, "quart": 4, "pint": 8, "cup": 16}
    us_spoons = {"fluid ounce": 128, "tablespoon": 256, "teaspoon": 768}
    yield from _measures("US", _US_GALLON, kitchen | us_spoons)
    yield _unit("volume", _US_GALLON / 128, "US fluid ounce, US fluid ounces, ounce, ounces", "oz floz")
    yield from _measures("imperial", _IMPERIAL_GALLON, kitchen | {"fluid ounce": 160})
    yield _unit("volume", 42 * _US_GALLON, "barrel, barrels, oil barrel, oil barrels", "bbl")
    yield _unit("volume", "0.00025", "metric cup")
    yield _unit("volume", "0.000015", "metric tablespoon")
    yield _unit("volume", "0.000005", "metric teaspoon")


def _times_and_speeds() -> Iterator[Unit]:
    yield from _prefixed("time", "1", "second", "s", "nano micro milli -")
    yield _unit("time", "60", "minute", "min mins")
    yield _unit("time", "3600", "hour", "h hr hrs")
    yield _unit("time", _DAY, "day", "d")
    yield _unit("time", 7 * _DAY, "week", "wk wks")
    yield _unit("time", 14 * _DAY, "fortnight")
    yield _unit("time", _YEAR / 12, "mean month, mean months, month, months")
    yield _unit("time", _YEAR, "Julian year, Julian years, year, years", "yr yrs")
    yield _unit("time", 10 * _YEAR, "decade")
    yield _unit("time", 100 * _YEAR, "century, centuries")
    yield _unit("speed", _MILE / 3600, "mile per hour, miles per hour", "mph")
    yield _unit("speed", "1000/3600", "kilometre per hour, kilometres per hour", "kph kmh kmph")
    yield _unit("speed", "1852/3600", "knot", "kn kt kts")


def _data() -> Iterator[Unit]:
    yield from _prefixed("data", "1", "byte", "B", "- kilo mega giga tera")
    yield from _prefixed("data", "1/8", "bit", "bit", "- kilo mega giga tera")
    for stem, symbol, worth in (("byte", "B", Fraction(1)), ("bit", "bit", Fraction(1, 8))):
        for prefix, (sign, exponent) in _BINARY_PREFIXES.items():  # IEC 80000-13
            yield _unit("data", worth * 2**exponent, f"{prefix}{stem}", f"{sign}{symbol}")
    for prefix in ("kilo", "mega", "giga", "tera"):
        sign, exponent = _PREFIXES[prefix]
        yield _unit("data", Fraction(10**exponent), f"{prefix}byte", f"{sign.lower()}b {sign.upper()}B")
        if prefix != "kilo":
            yield _unit("data", Fraction(10**exponent, 8), f"{prefix}bit", f"{sign}b")
        names = f"{prefix}bit per second, {prefix}bits per second"
        yield _unit("data rate", Fraction(10**exponent, 8), names, f"{sign}bps")


def _energies_and_powers() -> Iterator[Unit]:
    yield from _prefixed("energy", "1", "joule", "J", "milli - kilo mega giga")
    yield from _prefixed("energy", "3600", "watt-hour, watt-hours", "Wh", "- kilo mega giga")
    yield _unit("energy", "4.184", "small calorie, small calories, calorie, calories", "cal")  # thermochemical calorie
    yield _unit(
        "energy", "4184", "kilocalorie, kilocalories, food calorie, food calories, calorie, calories", "kcal Cal"
    )
    yield _unit("energy", _BTU, "British thermal unit", "BTU Btu")
    yield _unit("energy", Fraction("1.602176634") / 10**19, "electronvolt", "eV")  # SI, 2019
    yield _unit("energy", _FOOT * _POUND * _GRAVITY, "foot-pound")
    yield from _prefixed("power", "1", "watt", "W", "milli - kilo mega giga")
    yield _unit(
        "power", 550 * _FOOT * _POUND * _GRAVITY, "mechanical horsepower, mechanical horsepower, horsepower", "hp"
    )
    yield _unit("power", 75 * _GRAVITY, "metric horsepower, metric horsepower", "PS")  # 75 kgf m/s


def _pressures_and_angles() -> Iterator[Unit]:
    yield from _prefixed("pressure", "1", "pascal", "Pa", "- hecto kilo mega giga")
    yield from _prefixed("pressure", "100000", "bar", "bar", "milli -")
    yield _unit("pressure", "101325", "standard atmosphere, standard atmospheres, atmosphere, atmospheres", "atm")
    yield _unit("pressure", "101325/760", "torr, torr", "Torr")
    yield _unit("pressure", _MILLIMETRE_OF_MERCURY, "millimetre of mercury, millimetres of mercury", "mmHg")
    yield _unit("pressure", Fraction("25.4") * _MILLIMETRE_OF_MERCURY, "inch of mercury, inches of mercury", "inHg")
    psi_names = "pound per square inch, pounds per square inch, pound-force per square inch"
    yield _unit("pressure", _POUND * _GRAVITY / _INCH**2, psi_names, "psi")
    yield _unit("angle", "1", "degree, degrees, degree of arc, degrees of arc", "deg")
    yield _unit("angle", "1/60", "arcminute, arcminutes, minute of arc, minutes of arc, minute, minutes", "arcmin")
    yield _unit("angle", "1/3600", "arcsecond, arcseconds, second of arc, seconds of arc, second, seconds", "arcsec")
    yield _unit("angle", "9/10", "gradian, gradians, gon, gons", "grad")
    yield _unit("angle", "360", "full turn, full turns, revolution, revolutions", "rev")
    yield Unit(dimension="angle", names=("radian", "radians"), symbols=("rad",), scale=Fraction(180), pi_power=-1)


UNITS: tuple[Unit, ...] = (
    *_lengths(),
    *_masses(),
    *_temperatures(),
    *_areas_and_volumes(),
    *_times_and_speeds(),
    *_data(),
    *_energies_and_powers(),
    *_pressures_and_angles(),
)
"""Every unit that has a name of its own; squares, cubes and quotients of them are made where they are read."""
