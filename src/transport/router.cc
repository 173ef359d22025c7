#include "transport/router.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <deque>
#include <optional>

namespace carillon {
namespace {

using Segments = boost::container::small_vector<std::string_view, 8>;

Segments split(std::string_view path) {
  Segments segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool is_named(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}
bool takes_rest(std::string_view segment) {
  return is_named(segment) && segment.ends_with("...}");
}

int rank(std::string_view segment) {
  return takes_rest(segment) ? 2 : is_named(segment) ? 1 : 0;
}

std::string name_of(std::string_view segment) {
  segment = segment.substr(1, segment.size() - 2);
  if (segment.ends_with("...")) segment.remove_suffix(3);
  return std::string(segment);
}

// The parser has refused a '%' without two digits.
std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(digit(text[i + 1]) << 4 | digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

// Those that hold escapes are decoded into `decoded`.
Segments segments_of(std::string_view target, std::string_view path, std::deque<std::string>& decoded) {
  if (const std::size_t scheme = target.find("://"); !target.starts_with('/') && scheme != std::string_view::npos) {
    target.remove_prefix(std::min(target.find('/', scheme + 3), target.size()));  // The absolute form.
  }
  if (!target.starts_with('/')) return split(path);
  Segments segments = split(target.substr(0, target.find('?')));
  for (std::string_view& segment : segments) {
    if (segment.find('%') != std::string_view::npos) segment = decoded.emplace_back(percent_decoded(segment));
  }
  return segments;
}

bool match_segments(const std::vector<std::string>& pattern, const Segments& path, PathValues& values) {
  values.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (i >= path.size()) return false;
    if (takes_rest(pattern[i])) {
      std::string rest(path[i]);
      for (std::size_t j = i + 1; j < path.size(); ++j) (rest += '/') += path[j];
      values.emplace_back(name_of(pattern[i]), std::move(rest));
      return true;
    }
    if (is_named(pattern[i])) {
      if (path[i].empty()) return false;
      values.emplace_back(name_of(pattern[i]), path[i]);
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return pattern.size() == path.size();
}

}  // namespace

void Router::add(std::string_view method, std::string_view path, RouteHandler handler) {
  const Segments segments = split(path);
  routes_.push_back({std::string(method), std::string(path), {segments.begin(), segments.end()}, std::move(handler)});
  put_in_order();
}

void Router::put_in_order() {
  // Literal segments before named ones.
  const auto before = [](const std::string& a, const std::string& b) { return rank(a) < rank(b); };
  std::stable_sort(routes_.begin(), routes_.end(), [&](const Route& a, const Route& b) {
    return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(), before);
  });
  literal_.clear();
  named_.clear();
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const std::string& path = routes_[i].path;
    if (std::ranges::none_of(routes_[i].segments, is_named)) {
      literal_[path].push_back(i);
    } else {
      named_.push_back({.begin = path.substr(0, path.find('{')), .route = i});
    }
  }
}

bool Router::take(Route& route, std::string_view method, PathValues& values, Match& match) {
  if (route.method == method || route.method == "*" || (method == "HEAD" && route.method == "GET")) {
    match.handler = &route.handler;
    match.values = std::move(values);
    return true;
  }
  if (match.allowed.find(route.method) != std::string::npos) return false;
  if (!match.allowed.empty()) match.allowed += ", ";
  match.allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  return false;
}

Router::Match Router::match(std::string_view method, std::string_view target, std::string_view path, PathValues values) {
  Match match;
  values.clear();
  // With escapes a segment may hold a slash.
  if (target.substr(0, target.find('?')).find('%') != std::string_view::npos) {
    std::deque<std::string> decoded;
    const Segments segments = segments_of(target, path, decoded);
    for (Route& route : routes_) {
      if (match_segments(route.segments, segments, values) && take(route, method, values, match)) return match;
    }
    return match;
  }
  if (const auto found = literal_.find(path); found != literal_.end()) {
    for (const std::size_t i : found->second) {
      if (take(routes_[i], method, values, match)) return match;
    }
  }
  std::optional<Segments> segments;
  for (const Named& named : named_) {
    if (!path.starts_with(named.begin)) continue;
    Route& route = routes_[named.route];
    if (!segments) segments = split(path);
    if (match_segments(route.segments, *segments, values) && take(route, method, values, match)) return match;
  }
  return match;
}

std::vector<std::string> Router::descriptions() const {
  std::vector<std::string> all;
  for (const Route& route : routes_) all.push_back(route.method + " " + route.path);
  return all;
}

}  // namespace carillon
