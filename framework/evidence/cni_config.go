// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// confDirs and binDirs are looked at whatever the runtime says.
var (
	confDirs = []string{"/etc/cni/net.d", "/opt/cni/net.d"}
	binDirs  = []string{"/opt/cni/bin"}
)

// An absent or empty directory is what these are run to see.
var (
	listConf   = command{line: "ls -laR --time-style=full-iso <conf_dir>", file: "listing<conf_dir>.txt", answers: true}
	listBin    = command{line: "ls -la --time-style=full-iso <bin_dir>", file: "listing<bin_dir>.txt", answers: true}
	findConf   = command{line: `find <conf_dir> -maxdepth 3 \( -type f -o -type l \) -size -1024k`, answers: true}
	showConf   = command{line: "cat <conf_file>", file: "files<conf_file>"}
	showArch   = command{line: archOf, file: "listing<bin_dir>.arch.txt", answers: true}
	askVersion = command{line: `echo '{"cniVersion":"1.0.0"}' | PATH=<bin_path> CNI_COMMAND=VERSION <plugin>`, file: "cni/versions/<plugin>.json"}
	listIPAM   = command{line: "ls -la --time-style=full-iso /var/lib/cni /var/lib/cni/networks /var/lib/cni/networks/*", file: "cni/ipam-files.txt", answers: true}
	showIPAM   = command{line: "grep -rH . /var/lib/cni/networks", file: "cni/ipam-leases.txt", answers: true}
)

// archOf prints what file(1) would, which many nodes lack: the machine field of
// the ELF header (System V ABI, e_machine).
const archOf = `for f in <bin_dir>/*; do case $(od -An -tx1 -N20 "$f") in *'3e 00') a=amd64;; *'b7 00') a=arm64;; *'28 00') a=arm;; *'15 00'|*'00 15') a=ppc64;; *'00 16') a=s390x;; *) a='not an ELF program';; esac; echo "$f: $a"; done`

var cniConfig = []command{listConf, showConf, listBin, showArch, askVersion, listIPAM, showIPAM}

var _ = Register(Collector{
	Name: "cni-config", Title: "CNI configuration directory and binaries", Always: true,
	Steps: steps(cniConfig), PerNode: collectCNIConfig,
})

// collectCNIConfig lists the directories the runtime on the node uses, which
// only the runtime knows, and reads what is in them.
func collectCNIConfig(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
	finds := func(dirs []string) (commands []command) {
		for _, dir := range dirs {
			commands = append(commands, w.named(findConf, "<conf_dir>", dir))
		}
		return commands
	}
	confs, bins := cniDirectories(w.runtimeConfig(ctx, c))
	found := w.ask(ctx, c, finds(confs))
	commands := []command{listIPAM, showIPAM}
	for _, dir := range confs {
		commands = append(commands, w.named(listConf, "<conf_dir>", dir))
	}
	for _, dir := range bins {
		commands = append(commands, w.named(listBin, "<bin_dir>", dir), w.named(showArch, "<bin_dir>", dir))
	}
	var files []string
	for _, a := range found {
		for _, file := range strings.Split(string(a.out), "\n") {
			if path.IsAbs(file) && !slices.Contains(files, file) && len(files) < mostFiles {
				files = append(files, file)
			}
		}
	}
	for _, file := range files {
		commands = append(commands, w.named(showConf, "<conf_file>", file))
	}
	var named []string
	for i, a := range w.ask(ctx, c, commands) {
		w.keep(c, commands[i], a)
		if strings.HasPrefix(commands[i].file, "files/") && a.code == 0 {
			named = append(named, plugins(a.out)...)
		}
	}
	slices.Sort(named)
	// Only plugins the runtime runs anyway are run, and for their version only
	// (CNI specification 1.0.0, VERSION).
	var versions []command
	for _, plugin := range slices.Compact(named) {
		versions = append(versions, w.named(askVersion, "<bin_path>", strings.Join(bins, ":"), "<plugin>", plugin))
	}
	w.run(ctx, c, versions)
	return nil
}

// mostFiles is how many configuration files of a node are read.
const mostFiles = 40

// plugins are the plugins a CNI configuration names, chained and IPAM ones too;
// none when it does not parse.
func plugins(configuration []byte) []string {
	type plugin struct {
		Type string `json:"type"`
		IPAM struct {
			Type string `json:"type"`
		} `json:"ipam"`
	}
	var list struct {
		plugin
		Plugins []plugin `json:"plugins"`
	}
	if json.Unmarshal(configuration, &list) != nil {
		return nil
	}
	var names []string
	for _, p := range append(list.Plugins, list.plugin) {
		for _, name := range []string{p.Type, p.IPAM.Type} {
			if name != "" && name == path.Base(name) {
				names = append(names, name)
			}
		}
	}
	return names
}
