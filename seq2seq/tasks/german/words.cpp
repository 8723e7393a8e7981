// The words of a sentence in the making, and the alignment of two sentences.
#include <weft/seq2seq/tasks/german/meaning.h>

#include <algorithm>

namespace weft::grammar {
namespace {

bool aligned(const Word& a, const Word& b) {
  const auto means = [&](const void* part) {
    return part && (part == b.means[0] || part == b.means[1]);
  };
  return means(a.means[0]) || means(a.means[1]);
}

}  // namespace

void Line::add(string_view text, const void* meaning, const void* second) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words_.push_back({std::string(text.substr(0, end)), {meaning, second}});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void Line::add_comma(const void* meaning) {
  if (words_.back().text != ",") add(",", meaning);
}

void Line::add_stop(const char* stop) {
  if (words_.back().text == ",") words_.pop_back();
  add(string_view(stop, 1), stop);
}

std::vector<Link> align(const std::vector<Word>& source, const std::vector<Word>& target) {
  std::vector<Link> links;
  links.reserve(source.size() + 8);
  for (size_t i = 0; i < source.size(); ++i) {
    for (size_t j = 0; j < target.size(); ++j) {
      if (!aligned(source[i], target[j])) continue;
      links.push_back({static_cast<int64_t>(i), static_cast<int64_t>(j)});
    }
  }
  return links;
}

}  // namespace weft::grammar
