// SPDX-License-Identifier: Apache-2.0

package suites_test

import (
	"flag"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/report"

	_ "github.com/cniproof/cniproof/suites"
)

var suite = report.NewSuite(config.Register(flag.CommandLine))

// TestConformance is one run over one cluster with one report:
//
//	go test ./suites/... -kubeconfig ~/.kube/config
//
// It names RunSpecs because the ginkgo command takes a package for a suite by
// its test files' imports, and hands no flags to any other (ginkgo -p).
func TestConformance(t *testing.T) { suite.Run(t, ginkgo.RunSpecs) }
