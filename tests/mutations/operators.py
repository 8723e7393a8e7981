"""Random faults: every place where one of six operators applies to a source file.

Not mutated: comments, strings, #include lines, the samples of the gradient check (they are tests)
and the grain of threads (it changes speed alone).
"""

import re

# Swapping the operands of these changes nothing.
COMMUTATIVE = {"add", "mul", "maximum", "minimum", "max", "min", "eq", "ne", "logical_and",
               "logical_or", "promote", "swap"}

RELATIONS = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ",
             " != ": " == ", " && ": " || ", " || ": " && "}
RELATION_OPS = {"ge": "gt", "gt": "ge", "le": "lt", "lt": "le", "eq": "ne", "ne": "eq"}


def signs(line):
    for m in re.finditer(r" ([-+]) ", line):
        yield m.start(1), m.end(1), "-" if m[1] == "+" else "+"
    for m in re.finditer(r"(?:[(,{=?:] ?|return )(-)(?=[a-z(])", line):
        yield m.start(1), m.end(1), ""


def operand_swaps(line):
    for m in re.finditer(r"\b([\w.]+) ([-/]) ([\w.]+)\b(?![(:\[])", line):
        if m[1] != m[3]:
            yield m.start(), m.end(), f"{m[3]} {m[2]} {m[1]}"
    for m in re.finditer(r"\b(\w+)\((\w+), (\w+)\)", line):
        if m[1] not in COMMUTATIVE and m[2] != m[3]:
            yield m.start(), m.end(), f"{m[1]}({m[3]}, {m[2]})"


def constants(line):
    for m in re.finditer(r"(?<![\w.<\"])(\d+)(\.\d+)?(?![\w.>])", line):
        if line[m.start() - 1:m.start()] != "-":  # negative numbers are dims
            yield m.start(), m.end(), f"{float(m[0]) * 2:g}" if m[2] else str(int(m[1]) + 1)
    for m in re.finditer(r"\b(true|false)\b", line):
        yield m.start(), m.end(), "false" if m[1] == "true" else "true"


def dims(line):
    for m in re.finditer(r"(?<=[(, {])-(\d)(?=[,)}])", line):
        yield m.start(), m.end(), f"-{int(m[1]) + 1}"
    for m in re.finditer(r"(?:, |\[|\()(d|dim)(?=[,)\]])", line):
        yield m.start(1), m.end(1), "0"


def comparisons(line):
    for old, new in RELATIONS.items():
        for m in re.finditer(re.escape(old), line):
            yield m.start(), m.end(), new
    for m in re.finditer(r"\b(ge|gt|le|lt|eq|ne)\(", line):
        yield m.start(1), m.end(1), RELATION_OPS[m[1]]


def removals(line):
    m = re.match(r"\s+(?:if \(.*\) )?((?!return|const |auto |using |case |break|int|bool|Shape |Tensor"
                 r"|double |size_t |std::vector|T |static |NoGrad)[\w:*+(].*;)$", line)
    if m and line.count("(") == line.count(")") and line.count("{") == line.count("}"):
        if re.match(r"[\w.\[\]\->()<>:*+]+(\(.*\);| [-+*/|]?= .*;|\+\+;|;)$", m[1]):
            yield m.start(1), m.end(1), ";"


OPERATORS = {"sign": signs, "operand swap": operand_swaps, "constant": constants, "dim": dims,
             "comparison": comparisons, "statement removed": removals}


def blank(m):
    return re.sub(r"[^\n]", " ", m[0])


def mutable_lines(text):
    """The text's lines, with what must not be mutated blanked out; offsets stay."""
    frozen = re.compile(r"\bSamples&|constexpr (int64_t|double) k\w+")
    blocks = re.split(r"(\n\s*\n)", text)
    text = "".join(blank([b]) if frozen.search(b) else b for b in blocks)
    text = re.sub(r"[^\n]*\b(kGrain|grain_of_cost)\b[^\n]*", blank, text)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|#[^\n]*', blank, text)
    return text.split("\n")


def sites(path, text):
    """Every mutation of a file: (operator, path, line number, old line, new line)."""
    lines, code, found = text.split("\n"), mutable_lines(text), []
    for i, line in enumerate(code):
        begins_statement = i == 0 or re.search(r"[;{})]\s*$|^\s*$", code[i - 1])
        for name, operator in OPERATORS.items():
            if name == "statement removed" and not begins_statement:
                continue
            for begin, end, new in operator(line):
                mutated = lines[i][:begin] + new + lines[i][end:]
                found.append((name, path, i + 1, lines[i], mutated))
    return found
