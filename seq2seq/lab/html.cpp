// A report as a page: its JSON, put into the page that is built in.
#include <weft/seq2seq/lab/detail/page.h>
#include <weft/seq2seq/lab/formats.h>

#include <string_view>

namespace weft {
namespace {

constexpr std::string_view kPlace = "/*REPORT*/";  // in lab/page/page.html

}  // namespace

std::string to_html(const Report& report) {
  const std::string_view page = lab_page();
  const size_t at = page.find(kPlace);
  std::string html(page.substr(0, at));
  for (const char c : to_json(report))  // no text in it can end the script
    c == '<' ? html.append("\\u003c") : html.append(1, c);
  return html.append(page.substr(at + kPlace.size()));
}

}  // namespace weft
