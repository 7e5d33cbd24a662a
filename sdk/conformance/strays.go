package conformance

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// readStrays reads what the plugin's library caught of its prints. The service
// is the library's (plugin.GRPCStdio), not the protocol's: a plugin without it
// has nothing to tell here. Its message has the stream's number in field 1 (1 is
// stdout) and the text in field 2.
func (p *process) readStrays() {
	ctx, cancel := context.WithCancel(context.Background())
	p.strays = cancel
	stream, err := p.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	go func() { // ends with the connection
		for {
			m := new(emptypb.Empty) // keeps the fields that it does not know
			if stream.RecvMsg(m) != nil {
				return
			}
			if text, stdout := strayText(m.ProtoReflect().GetUnknown()); text != "" {
				p.out.stray(text, stdout)
			}
		}
	}()
}

func strayText(fields []byte) (text string, stdout bool) {
	for len(fields) > 0 {
		number, kind, n := protowire.ConsumeTag(fields)
		if n < 0 {
			return text, stdout
		}
		fields = fields[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			value, _ := protowire.ConsumeVarint(fields)
			stdout = value == 1
		case number == 2 && kind == protowire.BytesType:
			value, _ := protowire.ConsumeBytes(fields)
			text = string(value)
		}
		n = protowire.ConsumeFieldValue(number, kind, fields)
		if n < 0 {
			return text, stdout
		}
		fields = fields[n:]
	}
	return text, stdout
}
