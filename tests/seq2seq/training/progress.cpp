#include <weft/seq2seq/training/progress.h>
#include <weft/tests/catch.h>

#include <sstream>

using namespace weft;

TEST_CASE("the progress line shows step, loss, rate, time and what is left") {
  CHECK(progress_line({100, 400, 2.3456, 18345, 30, 0.25}) ==
        "step 100/400  loss 2.346  18.3k tokens/s  0:30  ETA 1:30");
  CHECK(progress_line({1, 0, 9, 950, 0.2, 0}) == "step 1  loss 9.000  950 tokens/s  0:00  ETA ?");
}

TEST_CASE("seconds are shown as minutes and hours") {
  CHECK(format_seconds(0) == "0:00");
  CHECK(format_seconds(59.6) == "1:00");
  CHECK(format_seconds(3700) == "1:01:40");
  CHECK(format_seconds(-5) == "0:00");
}

TEST_CASE("a terminal gets one line, rewritten") {
  std::ostringstream out;
  {
    Progress progress(out, true);
    progress.update({1, 0, 1, 1, 0, 0});
    progress.update({2, 0, 1, 1, 0.01, 0});  // too soon to look again
    progress.update({3, 0, 1, 1, 1, 0});
    progress.print("note");
    progress.update({4, 0, 1, 1, 2, 0});
  }
  CHECK(out.str() ==
        "step 1  loss 1.000  1 tokens/s  0:00  ETA ?\r\x1b[K"
        "step 3  loss 1.000  1 tokens/s  0:01  ETA ?\r\x1b[Knote\n"
        "step 4  loss 1.000  1 tokens/s  0:02  ETA ?\n");
}

TEST_CASE("a file gets a plain line per interval") {
  std::ostringstream out;
  {
    Progress progress(out, false, 10);
    for (int i = 0; i <= 20; ++i) progress.update({i, 0, 1, 1, i * 1., 0});
    progress.print("done");
  }
  CHECK(out.str() ==
        "step 0  loss 1.000  1 tokens/s  0:00  ETA ?\n"
        "step 10  loss 1.000  1 tokens/s  0:10  ETA ?\n"
        "step 20  loss 1.000  1 tokens/s  0:20  ETA ?\ndone\n");
}
