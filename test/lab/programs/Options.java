// Reads what a server sends, by a socket with options as Java programs set and read them.
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import jdk.net.ExtendedSocketOptions;

class Options {
  public static void main(String[] args) throws Exception {
    try (Socket socket = new Socket()) {
      System.out.println("traffic class " + socket.getTrafficClass());
      socket.setTrafficClass(0x10);
      socket.setOption(ExtendedSocketOptions.TCP_QUICKACK, true);
      socket.setOption(StandardSocketOptions.SO_LINGER, 5);
      socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, 60);
      socket.connect(new InetSocketAddress(args[0], Integer.parseInt(args[1])));
      socket.setTcpNoDelay(true);
      System.out.println("traffic class " + socket.getTrafficClass());
      System.out.print(new String(socket.getInputStream().readAllBytes()));
    }
  }
}
