// SPDX-License-Identifier: Apache-2.0

// Package fact turns files of evidence into typed facts: what components said
// and when, links, routes, packet filter rules, sysctls, Kubernetes objects,
// each with the file and line it was read from. It draws no conclusions; rules
// of package diagnosis do that. It asks no cluster and keeps no more in memory
// than the facts: files of any size are read once, line by line.
package fact
