#include <fmt/core.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/source_words.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace weft {

AttentionMap mean_attention(Seq2SeqModel& model, const Ids& source, const Ids& target) {
  Ids read = target;
  read.insert(read.begin(), kBegin);
  read.push_back(kEnd);  // not read: the last step writes it
  const AttentionMaps maps = cross_attention(model, source, read);
  check(!maps.empty(), "mean_attention: the model has no cross-attention");
  const std::vector<AttentionMap>& heads = maps[maps.size() > 1 ? maps.size() - 2 : 0];
  AttentionMap mean = heads[0];
  for (size_t i = 0; i < mean.weights.size(); ++i) {
    for (size_t h = 1; h < heads.size(); ++h) mean.weights[i] += heads[h].weights[i];
    mean.weights[i] /= static_cast<double>(heads.size());
  }
  return mean;
}

std::vector<int64_t> words_of(const Vocabulary& vocabulary, const Ids& ids) {
  constexpr std::string_view kBlank = "\u2581";  // begins a subword that begins a word
  const Tokens tokens = vocabulary.tokens();
  const auto is_blank = [&](const std::string& piece) {
    return tokens == Tokens::kCharacters ? is_space(decode_utf8(piece)[0]) : piece == kBlank;
  };
  std::vector<int64_t> words;
  int64_t word = -1;
  bool inside = false;  // a word, which the next piece may go on with
  for (const int64_t id : ids) {
    const std::string piece = vocabulary.piece(id);
    const bool blank = tokens != Tokens::kWords && is_blank(piece);
    const bool begins = !inside || tokens == Tokens::kWords ||
                        (tokens == Tokens::kSubwords && piece.starts_with(kBlank));
    if (!blank && begins) ++word;
    inside = !blank;
    words.push_back(blank ? -1 : word);
  }
  return words;
}

std::vector<Link> word_links(Seq2SeqModel& model, const Vocabulary& vocabulary, const Ids& source,
                             const Ids& target) {
  const Ids read(source.begin(), source.end() - 1);
  const std::vector<int64_t> from = words_of(vocabulary, read), to = words_of(vocabulary, target);
  std::set<Link> links;
  for (const Link& link : strongest_links(mean_attention(model, source, target), std::ssize(read),
                                          std::ssize(target), ReadAt::kProducingStep)) {
    const Link words{from[static_cast<size_t>(link.source)], to[static_cast<size_t>(link.target)]};
    if (words.source >= 0 && words.target >= 0) links.insert(words);
  }
  return {links.begin(), links.end()};
}

std::string to_pharaoh(const std::vector<Link>& links) {
  std::string text;
  for (const Link& link : links)
    text += fmt::format("{}{}-{}", text.empty() ? "" : " ", link.source, link.target);
  return text;
}

double coverage_penalty(const AttentionMap& attention) {
  constexpr double kLeast = std::numeric_limits<float>::min();  // of float weights that are 0
  double penalty = 0;
  for (int64_t i = 0; i + 1 < attention.columns; ++i) {
    double sum = 0;
    for (int64_t t = 0; t < attention.rows; ++t) sum += attention.at(t, i);
    penalty += std::log(std::clamp(sum, kLeast, 1.0));
  }
  return penalty;
}

void rank_by_coverage(Seq2SeqModel& model, const Ids& source, double beta,
                      std::vector<Hypothesis>& found) {
  for (Hypothesis& h : found)
    h.score += beta * coverage_penalty(mean_attention(model, source, h.ids));
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.ended != b.ended ? a.ended : a.score > b.score;
  });
}

}  // namespace weft
