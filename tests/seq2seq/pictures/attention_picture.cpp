#include <weft/seq2seq/pictures/attention_picture.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <limits>

using namespace weft;

namespace {

const AttentionMap kMap{2, 3, {1, 0, 0, 0.1, 0.6, 0.3}};
const AttentionPicture kPicture{{"the", "cat", "</s>"}, {"die", "Katze"}, {{kMap, kMap}}};

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Every tag that opens is closed, in order; no markup character stands loose in an attribute.
bool is_balanced(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos || count(tag, "'") % 2 != 0) return false;
    const std::string name = tag.substr(0, tag.find(' '));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return false;
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
  }
  return open.empty();
}

AttentionPicture uniform(size_t layers, size_t heads, size_t source, size_t target) {
  const double weight = 1 / static_cast<double>(source);
  const AttentionMap map{static_cast<int64_t>(target), static_cast<int64_t>(source),
                         std::vector<double>(source * target, weight)};
  return {std::vector<std::string>(source, "word"), std::vector<std::string>(target, "Wort"),
          AttentionMaps(layers, std::vector<AttentionMap>(heads, map))};
}

}  // namespace

TEST_CASE("a plain terminal shows shades under stairs of source words, heads side by side") {
  CHECK(draw_for_terminal(kPicture, false, 60) ==
        "      layer 1, head 1   layer 1, head 2\n"
        "      the               the\n"
        "      │ cat             │ cat\n"
        "      │ │ </s>          │ │ </s>\n"
        "  die ██                ██\n"
        "Katze ░░▓▓▒▒            ░░▓▓▒▒\n"
        "\n"
        "weight    0 ░░ 0.1 ▒▒ 0.25 ▓▓ 0.5 ██ 1\n");
}

TEST_CASE("a narrow terminal shows one head below the other") {
  const std::string text = draw_for_terminal(kPicture, false, 10);
  CHECK(count(text, "layer 1, head 1\n") == 1);
  CHECK(count(text, "layer 1, head 2\n") == 1);
  CHECK(count(text, "  die ██\n") == 2);
}

TEST_CASE("a colour terminal gets a background per cell and is left as it was") {
  const std::string text = draw_for_terminal(kPicture, true, 60);
  CHECK(count(text, "\x1b[48;2;") == 12 + 5);
  CHECK(count(text, "\x1b[48;2;255;240;182m  ") == 2 + 1);  // weight 1, and in the legend
  CHECK(text.rfind("\x1b[0m") > text.rfind("\x1b[48"));
}

TEST_CASE("the SVG draws a cell per weight, with words and weight as its tooltip") {
  const std::string svg = draw_svg(kPicture);
  CHECK(is_balanced(svg));
  CHECK(count(svg, "<title>the \u2192 die  1.000</title>") == 2);
  CHECK(count(svg, "<title>cat \u2192 Katze  0.600</title>") == 2);
  CHECK(count(svg, "</title></rect>") == 8);  // none for weight 0
  CHECK(count(svg, "Layer 1 \u00b7 Head 2") == 1);
  CHECK(count(svg, "&lt;/s&gt;</text>") == 2);
  CHECK(count(svg, "http") == 1);  // the name space: nothing is loaded from elsewhere
}

TEST_CASE("pictures of any size from 1 to 8 heads and 1 to 60 words are well-formed") {
  for (const size_t heads : {1u, 8u}) {
    for (const size_t words : {1u, 7u, 60u}) {
      const AttentionPicture picture = uniform(heads, heads, words, 61 - words);
      const std::string svg = draw_svg(picture);
      CHECK(is_balanced(svg));
      CHECK(count(svg, "</title></rect>") == heads * heads * words * (61 - words));
      CHECK(count(draw_for_terminal(picture, false), "layer ") == heads * heads);
    }
  }
}

TEST_CASE("hostile words neither break the SVG nor steer the terminal") {
  AttentionPicture picture = kPicture;
  picture.source = {"a<b>&\"'c", std::string("\x1b[31m\0\xff", 7), std::string(1000, 'x')};
  const std::string svg = draw_svg(picture);
  CHECK(is_balanced(svg));
  CHECK(count(svg, "a&lt;b&gt;&amp;&quot;'c") > 0);
  CHECK(svg.find('\x1b') == std::string::npos);
  CHECK(svg.find('\0') == std::string::npos);
  CHECK(!invalid_utf8(svg));
  CHECK(count(svg, std::string(18, 'x')) == 0);
  CHECK(draw_for_terminal(picture, false).find('\x1b') == std::string::npos);
}

TEST_CASE("weights that are none are drawn as none") {
  AttentionPicture picture = kPicture;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  picture.maps[0][0].weights = {nan, 0, 2, -0.0, 0, 0};
  CHECK(count(draw_svg(picture), "</title></rect>") == 1 + 4);
  CHECK(count(draw_for_terminal(picture, false, 60), "  die     ██") == 1);
}

TEST_CASE("negative weights are seen, and seen to be negative") {
  AttentionPicture picture{{"a", "b", "c"}, {"x"}, {{{1, 3, {-1, 0.25, -0.25}}}}};
  CHECK(draw_for_terminal(picture, false, 60) ==
        "  layer 1, head 1\n"
        "  a\n"
        "  │ b\n"
        "  │ │ c\n"
        "x █-▒▒▒-\n"
        "\n"
        "weight █- -1 ▒- -0.25    0 ░░ 0.1 ▒▒ 0.25 ▓▓ 0.5 ██ 1\n");
  const std::string svg = draw_svg(picture);
  CHECK(is_balanced(svg));
  CHECK(count(svg, "</title></rect>") == 3);
  CHECK(count(svg, "a \u2192 x  -1.000") == 1);
  CHECK(count(svg, ">-0.25</text>") == 1);
  picture.maps[0][0].weights = {1, 0.25, 0.25};  // sizes are the same, colours are not
  const std::string positive = draw_svg(picture);
  const auto colours = [](const std::string& text, const char* of) {
    const size_t at = text.find(of);
    return text.substr(text.rfind("fill='#", at), 14);
  };
  CHECK(colours(svg, "c \u2192 x") != colours(positive, "c \u2192 x"));
  CHECK(colours(svg, "b \u2192 x") == colours(positive, "b \u2192 x"));
  CHECK(count(positive, ">-0.25</text>") == 0);
}

TEST_CASE("maps that do not fit the words are an error with the numbers") {
  AttentionPicture picture = kPicture;
  picture.target.push_back("!");
  CHECK(message_of([&] { draw_svg(picture); }) ==
        "draw_svg: expected maps of 3 target by 3 source words; got [2, 3] with 6 weights");
  picture.target.clear();
  CHECK(message_of([&] { draw_for_terminal(picture, false); }) ==
        "draw_for_terminal: expected words on both sides and a layer; got 3 source words, 0 target "
        "words, 1 layers");
}
