// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package probe

// Here returns nil: the probe runs on Linux only.
func Here() Runner { return nil }
