// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cniproof/cniproof/framework/pseudonym"
)

// pseudonymized is the folder of the copy that may leave the company.
const pseudonymized = "pseudonymized"

// pseudonymize copies what is in dir with addresses and names replaced, and
// leaves beside the copy, not in it, what names were replaced by what. It says
// on log where, or why not.
func pseudonymize(log io.Writer, dir string, c Cluster) error {
	err := copyPseudonymized(dir, c)
	if err != nil {
		fmt.Fprintln(log, "cniproof:", err)
	} else {
		fmt.Fprintln(log, "to hand on:", filepath.Join(dir, pseudonymized))
	}
	return err
}

func copyPseudonymized(dir string, c Cluster) error {
	names, err := pseudonym.Find(dir)
	if err != nil {
		return err
	}
	names.Clusters = []string{c.Name, strings.TrimPrefix(c.Name, "kind-")}
	for _, n := range c.Nodes {
		names.Nodes = append(names.Nodes, n.Name)
	}
	m := pseudonym.New([]byte(rand.Text()), names)
	to := filepath.Join(dir, pseudonymized)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if _, err := m.Copy(to, dir); err != nil {
		return err
	}
	data, err := encode(m.Names())
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, pseudonym.Key), data)
}
