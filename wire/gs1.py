"""GS1 keys: what device and hospital both have to reckon."""


def check_digit_holds(digits: str) -> bool:
    """Whether the last digit is the check digit (GS1 General Specifications, section 7.9.1)."""
    weighed = sum(
        int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))
    )
    return weighed % 10 == 0
