// SPDX-License-Identifier: Apache-2.0

package scenarios_test

import (
	"flag"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"github.com/cniproof/cniproof/framework/report"

	_ "github.com/cniproof/cniproof/scenarios"
	_ "github.com/cniproof/cniproof/suites"
)

var exam = report.NewExam(flag.CommandLine)

// TestScenarios injects each fault into a kind cluster of ours and proves that
// the harness catches it, names it and that it was healed:
//
//	go test ./scenarios/... -v -scenario cni_config_removed
func TestScenarios(t *testing.T) { exam.Run(t, ginkgo.RunSpecs) }
