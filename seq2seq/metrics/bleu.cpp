// Corpus BLEU. The 13a rules work on bytes: every character that they look at is ASCII.
#include <weft/seq2seq/metrics/bleu.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>

#include <weft/core/detail/check.h>
#include <weft/core/version.h>

#include <weft/seq2seq/text/utf8.h>

namespace weft {
namespace {

constexpr int kBleuOrder = 4;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }

// ASCII punctuation except the apostrophe, comma, hyphen and full stop.
bool is_symbol(char c) {
  return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::string isolate_symbols(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (is_symbol(c)) {
      result += {' ', c, ' '};
    } else {
      result += c;
    }
  }
  return result;
}

// One left-to-right pass over pairs of characters that do not overlap: a pair that satisfies
// `first` and `second` is written with the blanks of `write`.
template <class First, class Second, class Write>
std::string rewrite_pairs(const std::string& text, First first, Second second, Write write) {
  std::string result;
  size_t i = 0;
  while (i < text.size()) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      result += write(text[i], text[i + 1]);
      i += 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

std::string tokenize_13a(std::string text) {
  using Piece = std::string;
  replace_all(text, "<skipped>", "");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");  // before &lt;, so that "&amp;lt;" ends as "<"
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  const auto no_digit = [](char c) { return !is_digit(c); };
  const auto is_dash = [](char c) { return c == '-'; };
  text = isolate_symbols(' ' + text + ' ');
  text = rewrite_pairs(text, no_digit, is_point, [](char a, char b) {
    return Piece{a, ' ', b, ' '};
  });
  text = rewrite_pairs(text, is_point, no_digit, [](char a, char b) {
    return Piece{' ', a, ' ', b};
  });
  return rewrite_pairs(text, is_digit, is_dash, [](char a, char b) {
    return Piece{a, ' ', b, ' '};
  });
}

using NgramCounts = std::map<std::vector<std::string>, int64_t>;

NgramCounts count_ngrams(const std::vector<std::string>& words, int order) {
  NgramCounts counts;
  for (auto first = words.begin(); words.end() - first >= order; ++first) {
    ++counts[{first, first + order}];
  }
  return counts;
}

void add_sentence(Bleu& b, const std::vector<std::string>& hypothesis,
                  const std::vector<std::string>& reference) {
  b.hypothesis_length += static_cast<int64_t>(hypothesis.size());
  b.reference_length += static_cast<int64_t>(reference.size());
  for (int order = 1; order <= kBleuOrder; ++order) {
    const NgramCounts wanted = count_ngrams(reference, order);
    for (const auto& entry : count_ngrams(hypothesis, order)) {
      const auto match = wanted.find(entry.first);
      b.total[static_cast<size_t>(order - 1)] += entry.second;
      if (match == wanted.end()) continue;
      b.correct[static_cast<size_t>(order - 1)] += std::min(entry.second, match->second);
    }
  }
}

double brevity_penalty(int64_t hypothesis, int64_t reference) {
  if (hypothesis >= reference) return 1;
  if (hypothesis == 0) return 0;
  return std::exp(1 - static_cast<double>(reference) / static_cast<double>(hypothesis));
}

void set_score(Bleu& b) {
  b.brevity_penalty = brevity_penalty(b.hypothesis_length, b.reference_length);
  if (std::all_of(b.correct.begin(), b.correct.end(), [](int64_t n) { return n == 0; })) return;
  double smoothing = 1;
  double log_sum = 0;
  for (size_t n = 0; n < kBleuOrder; ++n) {
    if (b.total[n] == 0) return;  // no sentence is long enough: the score is 0
    if (b.correct[n] == 0) smoothing *= 2;
    const double matches = b.correct[n] == 0 ? 1 / smoothing : static_cast<double>(b.correct[n]);
    b.precisions[n] = 100 * matches / static_cast<double>(b.total[n]);
    log_sum += std::log(b.precisions[n]);
  }
  b.score = b.brevity_penalty * std::exp(log_sum / kBleuOrder);
}

}  // namespace

std::string BleuOptions::signature() const {
  return fmt::format("nrefs:1|case:{}|eff:no|tok:{}|smooth:exp|version:weft-{}",
                     lowercase ? "lc" : "mixed", tokenizer == BleuTokenizer::k13a ? "13a" : "none",
                     WEFT_VERSION);
}

std::string Bleu::to_string() const {
  const double ratio = reference_length == 0 ? 0
                                             : static_cast<double>(hypothesis_length) /
                                                   static_cast<double>(reference_length);
  return fmt::format(
      "BLEU|{} = {:.2f} {:.1f}/{:.1f}/{:.1f}/{:.1f} "
      "(BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})",
      options.signature(), score, precisions[0], precisions[1], precisions[2], precisions[3],
      brevity_penalty, ratio, hypothesis_length, reference_length);
}

std::vector<std::string> bleu_tokens(const std::string& line, const BleuOptions& options) {
  std::string text = options.lowercase ? lower_case(line) : line;
  if (options.tokenizer == BleuTokenizer::k13a) text = tokenize_13a(text);
  const std::vector<std::string_view> words = split_words(text);
  return {words.begin(), words.end()};
}

Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
          const BleuOptions& options) {
  check(hypotheses.size() == references.size(),
        "bleu: needs one reference per hypothesis; got {} hypotheses and {} references",
        hypotheses.size(), references.size());
  check(!hypotheses.empty(), "bleu: needs at least one sentence; got none");
  Bleu b;
  b.options = options;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    add_sentence(b, bleu_tokens(hypotheses[i], options), bleu_tokens(references[i], options));
  }
  set_score(b);
  return b;
}

}  // namespace weft
