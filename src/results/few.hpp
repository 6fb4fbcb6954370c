// A list that nearly always has at most N elements: those stand within it and take no memory of their own, of which a
// message would else need hundreds of small pieces. More are as good as ever.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>

namespace resultsync::results {

template <class T, std::size_t N = 1>
using Few = boost::container::small_vector<T, N>;

}  // namespace resultsync::results
