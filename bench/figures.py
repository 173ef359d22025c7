"""What the sections of bench/run.py write their figures with, and how they run a program that prints them."""
import re
import subprocess


def micros(value):
    return "–" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def whole(value):
    return "–" if value is None else f"{value:,.0f}".replace(",", " ")


def quotient(value, of):
    return value / of if value is not None and of else None


def times(value):
    return "–" if value is None else f"{value:.2f}"


def size(count):
    return f"{count // 1024} KB" if count >= 1024 else f"{count} B"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def run(say, program, what, **flags):
    """The numbers that the program prints, by their names."""
    words = [program, what]
    for name, value in flags.items():
        words += [f"--{name}", value]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"{what} ended with {done.returncode}")
    say("  " + done.stdout.strip())
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)(?= |$)", done.stdout.strip())}
