#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/softmax_attention.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/seq2seq/lab/film_recorder.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kLongest = 16;  // ids of a sentence, of either side

// transformer.decoder.layers.0.norm1.weight -> transformer.decoder.layers.0
// embedding.weight -> embedding
std::string layer_of(const std::string& parameter) {
  size_t begin = 0;
  for (size_t end = parameter.find('.'); end != std::string::npos;
       begin = end + 1, end = parameter.find('.', begin)) {
    const std::string name = parameter.substr(begin, end - begin);
    if (name.find_first_not_of("0123456789") == std::string::npos) return parameter.substr(0, end);
  }
  return begin == 0 ? parameter : parameter.substr(0, begin - 1);
}

bool is_short(const Pair& pair) {
  return std::ssize(pair.source) <= kLongest && std::ssize(pair.target) <= kLongest + 1;
}

// Numbers of the parts of rows for heads: see HeadRows.
Tensor by_head(const Tensor& parts, int64_t heads) {
  const int64_t n = parts.size(0);
  if (n >= heads) return sum(reshape(parts, {-1, heads}), {0});
  return reshape(expand(unsqueeze(parts, 1), {n, heads / n}), {heads});
}

double finite_or_none(double value) { return std::isfinite(value) ? value : kNoNumber; }

}  // namespace

FilmRecorder::FilmRecorder(Seq2SeqModel& model, const Vocabulary& vocabulary,
                           std::span<const Pair> pairs, std::filesystem::path file, int64_t update)
    : model_(model), file_(std::move(file)) {
  find_layers();
  find_heads();
  choose_sentence(vocabulary, pairs);
  std::vector<std::string> ignored;
  Film before = read_film(file_, ignored);
  std::erase_if(before.frames, [&](const Film::Frame& frame) { return frame.update > update; });
  if (before.same_subject(film_) && !before.frames.empty()) film_ = std::move(before);
}

void FilmRecorder::find_layers() {
  for (const NamedTensor& p : model_.named_parameters()) {
    const std::string layer = layer_of(p.name);
    const auto found = std::find(film_.layers.begin(), film_.layers.end(), layer);
    const auto at = static_cast<size_t>(found - film_.layers.begin());
    if (found == film_.layers.end()) {
      film_.layers.push_back(layer);
      layers_.emplace_back();
    }
    layers_[at].push_back({p.name});
  }
}

void FilmRecorder::find_heads() {
  detail::for_each_module(model_, [&](Module& module) {
    const auto* attention = dynamic_cast<SoftmaxAttention*>(&module);
    if (attention == nullptr || attention->head_rows().empty()) return;
    const std::string path = module.path();
    Part& part = attention_.emplace_back();
    for (const auto& [parameter, parts] : attention->head_rows())
      part.push_back({path + "." + parameter, parts});
    film_.attention.push_back({path, attention->num_heads()});
  });
}

void FilmRecorder::choose_sentence(const Vocabulary& vocabulary, std::span<const Pair> pairs) {
  const auto pair = std::find_if(pairs.begin(), pairs.end(), is_short);
  if (pair == pairs.end()) return;
  sentence_ = *pair;
  for (const int64_t id : sentence_.source) film_.source.push_back(vocabulary.piece(id));
  for (size_t i = 1; i < sentence_.target.size(); ++i)
    film_.predicted.push_back(vocabulary.piece(sentence_.target[i]));
}

void FilmRecorder::add() {
  noise_.add(model_.named_parameters());
  ++added_;
}

void FilmRecorder::record(int64_t update) {
  if (added_ < 2) return;
  Film::Frame frame{.update = update, .gradients = added_};
  for (const Part& layer : layers_) append(layer, 1, frame.norm, frame.snr);
  for (size_t i = 0; i < attention_.size(); ++i)
    append(attention_[i], film_.attention[i].heads, frame.head_norm, frame.head_snr);
  frame.maps = maps();
  film_.map_layers = std::ssize(frame.maps) /
                     std::max<int64_t>(1, std::ssize(film_.source) * std::ssize(film_.predicted));
  film_.add(std::move(frame));
  save_film(file_, film_);
  noise_.reset();
  added_ = 0;
}

// `count` numbers of each: of a layer one, of an attention those of its heads.
void FilmRecorder::append(const Part& part, int64_t count, std::vector<double>& norm,
                          std::vector<double>& snr) const {
  const NoGrad no_grad;
  Tensor signal = zeros({count}, kFloat64), noise = signal, power = signal;
  for (const Rows& rows : part) {
    const auto n = static_cast<double>(noise_.count(rows.parameter));
    if (n < 2) continue;
    const Tensor s = by_head(noise_.signal(rows.parameter, rows.parts), count),
                 v = by_head(noise_.noise(rows.parameter, rows.parts), count);
    signal = signal + s;
    noise = noise + v;
    power = power + s + v * ((n - 1) / n);
  }
  const bool none = std::none_of(part.begin(), part.end(), [&](const Rows& rows) {
    return noise_.count(rows.parameter) >= 2;
  });
  for (int64_t i = 0; i < count; ++i) {
    norm.push_back(none ? kNoNumber : std::sqrt(power.at({i})));
    snr.push_back(finite_or_none(signal.at({i}) / noise.at({i})));
  }
}

// The mean over heads of each layer, one after another.
std::vector<double> FilmRecorder::maps() const {
  std::vector<double> all;
  if (film_.source.empty()) return all;
  const AttentionMaps layers = cross_attention(model_, sentence_.source, sentence_.target);
  for (const std::vector<AttentionMap>& heads : layers) {
    std::vector<double> mean(film_.source.size() * film_.predicted.size());
    for (const AttentionMap& head : heads) {
      if (head.weights.size() != mean.size()) return {};  // a model with positions of its own
      for (size_t i = 0; i < mean.size(); ++i)
        mean[i] += head.weights[i] / static_cast<double>(heads.size());
    }
    all.insert(all.end(), mean.begin(), mean.end());
  }
  return all;
}

}  // namespace weft
