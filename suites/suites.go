// SPDX-License-Identifier: Apache-2.0

// Package suites links every check into a program: importing it fills
// check.Default. An area is a package below this one, a check one file of it; a
// new area is one line here, a new check none.
package suites

import (
	_ "github.com/cniproof/cniproof/suites/audit"
	_ "github.com/cniproof/cniproof/suites/cni"
	_ "github.com/cniproof/cniproof/suites/dns"
	_ "github.com/cniproof/cniproof/suites/egress"
	_ "github.com/cniproof/cniproof/suites/mtu"
	_ "github.com/cniproof/cniproof/suites/node"
	_ "github.com/cniproof/cniproof/suites/pod"
	_ "github.com/cniproof/cniproof/suites/policy"
	_ "github.com/cniproof/cniproof/suites/sandbox"
	_ "github.com/cniproof/cniproof/suites/service"
)
