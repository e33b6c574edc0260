// SPDX-License-Identifier: Apache-2.0

package config

import "fmt"

// Problem is an error a person caused and can cure: a missing kubeconfig, a
// wrong flag, an API server that does not answer. It prints as one sentence
// that ends with what to do, and makes a run end with exit code 1.
type Problem struct {
	// What is wrong, lower case, one sentence without a full stop.
	What string
	// Do is what to do next, lower case, e.g. "pass -kubeconfig".
	Do string
	// Err is the cause, nil when there is none to show.
	Err error
}

func (p *Problem) Error() string {
	if p.Err == nil {
		return fmt.Sprintf("%s; %s", p.What, p.Do)
	}
	return fmt.Sprintf("%s (%v); %s", p.What, p.Err, p.Do)
}

func (p *Problem) Unwrap() error { return p.Err }
