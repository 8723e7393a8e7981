// Dates in words to dates by ISO 8601.
#include <fmt/core.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>

namespace weft {
namespace {

constexpr int64_t kFirstYear = 1900, kYears = 200;
constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};

int64_t days_of(int64_t year, unsigned month) {
  using namespace std::chrono;
  const year_month_day_last last{std::chrono::year(static_cast<int>(year)) /
                                 std::chrono::month(month) / std::chrono::last};
  return static_cast<unsigned>(last.day());
}

// "3 May 2021" or "May 3, 2021"
std::string draw_date(Generator& generator) {
  const int64_t year = kFirstYear + generator.below(kYears), month = generator.below(12);
  const int64_t day = 1 + generator.below(days_of(year, static_cast<unsigned>(month) + 1));
  const std::string_view name = kMonths[static_cast<size_t>(month)];
  return generator.below(2) == 0 ? fmt::format("{} {} {}", day, name, year)
                                 : fmt::format("{} {}, {}", name, day, year);
}

std::string to_iso(const std::string& source) {
  const std::vector<std::string_view> words = split_words(source);
  check(words.size() == 3, "dates: must be like 3 May 2021, or May 3, 2021; got '{}'", source);
  const bool day_first = std::isdigit(static_cast<unsigned char>(words[0][0])) != 0;
  const std::string day(words[day_first ? 0 : 1]);
  const auto* const month = std::find(kMonths.begin(), kMonths.end(), words[day_first ? 1 : 0]);
  check(month != kMonths.end(), "dates: must name a month in full; got '{}'", source);
  return fmt::format("{}-{:02}-{:02}", words[2], month - kMonths.begin() + 1, std::stoll(day));
}

}  // namespace

Task dates_task() {
  return drawn_task("dates", "a date in words to year-month-day", draw_date, to_iso,
                    {{"epochs", "6"}});
}

}  // namespace weft
