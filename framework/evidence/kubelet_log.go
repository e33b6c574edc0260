// SPDX-License-Identifier: Apache-2.0

package evidence

var kubeletLog = []command{
	{line: "journalctl -u kubelet --no-pager -o short-iso-precise --since=@<since>", file: "kubelet.log"},
}

var _ = Register(Collector{
	Name: "kubelet-log", Title: "kubelet log", Always: true,
	Steps: steps(kubeletLog), PerNode: perNode(kubeletLog),
})
