// SPDX-License-Identifier: Apache-2.0

// Command diagnose names the probable cause from evidence on disk or standard
// input.
package main

import (
	"encoding/json"
	"os"

	"github.com/cniproof/cniproof/framework/diagnosis"
)

func main() {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	enc.Encode(diagnosis.Diagnose(diagnosis.Source{FS: os.DirFS(os.Args[1])}))
}
