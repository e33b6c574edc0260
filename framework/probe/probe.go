// SPDX-License-Identifier: Apache-2.0

// Package probe is the typed client of fixtures/probe: jobs in, results out,
// one exec per pod for all batches of a run. It draws no conclusions: an error of Run
// means the harness could not measure, a result with an error class means the
// network answered that way.
package probe

import (
	"context"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// Pod is a running probe pod.
type Pod struct {
	Namespace, Name, Container string
	Node                       string
	// HostNetwork tells that it shares its node's addresses.
	HostNetwork bool
	// IPs are its addresses, the primary first.
	IPs []string
}

// Runner runs batches in pods. Implementations retry the transport (exec),
// never the results, and are safe for concurrent use.
type Runner interface {
	Run(ctx context.Context, pod Pod, jobs []job.Job) ([]job.Result, error)
}
