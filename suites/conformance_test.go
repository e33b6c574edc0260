// SPDX-License-Identifier: Apache-2.0

package suites_test

import (
	"flag"
	"testing"

	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/report"

	_ "github.com/cniproof/cniproof/suites"
)

var suite = report.NewSuite(config.Register(flag.CommandLine))

// TestConformance is one run over one cluster with one report:
//
//	go test ./suites/... -kubeconfig ~/.kube/config
func TestConformance(t *testing.T) { suite.Run(t) }
