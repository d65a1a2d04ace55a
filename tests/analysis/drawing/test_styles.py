from qtrl.analysis.drawing.styles import DARK, LIGHT, MAX_CHARACTERS, shown, styles_of

LABELS = [f"label {number}" for number in range(20)]


def test_no_two_blocks_look_the_same():
    looks = {(style.color, style.dash) for style in styles_of(LABELS).values()}
    assert len(looks) == len(LABELS)
    assert len(set(LIGHT)) == len(set(DARK)) == len(LIGHT) == len(DARK)


def luminance(color):
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_colors_stand_out_from_their_ground():
    assert all(1.05 / (luminance(color) + 0.05) > 2.15 for color in LIGHT)
    assert all((luminance(color) + 0.05) / (luminance("#181e26") + 0.05) > 3 for color in DARK)


def test_a_label_is_shown_on_one_short_line():
    assert shown("pqc") == "pqc"
    assert shown("a\nb\x1b[31m\udcff") == r"a\nb\x1b[31m\udcff"
    assert len(shown("x" * 1000)) == MAX_CHARACTERS
