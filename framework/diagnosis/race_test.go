// SPDX-License-Identifier: Apache-2.0

//go:build race

package diagnosis

// slowdown is what the race detector makes of the time code takes.
const slowdown = 20
