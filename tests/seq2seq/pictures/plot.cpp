#include <weft/core/error.h>
#include <weft/seq2seq/pictures/plot.h>
#include <weft/tests/catch.h>

#include <cmath>
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

TEST_CASE(
    "numbers that are equal but for rounding make a plot of ordinary size; names are kept to") {
  const double next = std::nextafter(2.0, 3.0);
  const Plot flat{.title = "",
                  .x_label = "",
                  .y_label = "",
                  .series = {{"s", {{0.3, 100}, {0.1 + 0.2, std::pow(10, next)}}}},
                  .log_y = true};
  CHECK(draw_plot(flat).size() < 5000);
  Plot one{.title = "", .x_label = "", .y_label = "", .series = {{"s", {{0, 1}}}}, .names = {"a"}};
  CHECK(count(draw_plot(one), ">a</text>") == 1);
  one.series[0].points = {{1, 1}};
  CHECK(message_of([&] { draw_plot(one); }) ==
        "plot: x must be the place of one of 1 names; got 1 to 1");
}
