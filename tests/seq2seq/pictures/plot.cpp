#include <weft/core/error.h>
#include <weft/seq2seq/pictures/plot.h>
#include <weft/tests/catch.h>

#include <limits>

using namespace weft;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("a plot has a line and a point for each number, and escaped names") {
  const std::string svg =
      draw_plot({.title = "a < b",
                 .x_label = "layer",
                 .y_label = "norm",
                 .series = {{"one", {{1, 2}, {2, 3}, {3, kNaN}}}, {"two", {{1, 0}}}}});
  CHECK(count(svg, "a &lt; b") == 2);
  CHECK(count(svg, ">two</text>") == 1);
  CHECK(count(svg, "<circle") == 3);
  CHECK(count(svg, "nan") == 0);
}

TEST_CASE("named points have no line between them; logarithms leave out what has none") {
  const Plot named{.title = "",
                   .x_label = "",
                   .y_label = "",
                   .series = {{"s", {{0, 1}, {1, 2}}}},
                   .names = {"weights", "flow"}};
  CHECK(count(draw_plot(named), ">flow</text>") == 1);
  const Plot log{.title = "",
                 .x_label = "",
                 .y_label = "",
                 .series = {{"s", {{0, 0}, {1, 10}, {2, 100}}}},
                 .log_y = true};
  CHECK(count(draw_plot(log), "<circle") == 2);
}

TEST_CASE("a plot without points is an error") {
  CHECK(message_of([&] {
          draw_plot({.title = "", .x_label = "", .y_label = "", .series = {{"s", {{0, kNaN}}}}});
        }) == "plot: there are no points to draw");
}
