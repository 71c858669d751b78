internal import ZEOClient
internal import ZODB

/// What the options say of logins, TLS and tunnels, as the client takes it.
extension ZEOClientStorage.Options {
    /// - Throws: `connection` for files that will not do; `unsupported` for a tunnel that is none.
    mutating func secure(by options: OpeningOptions, for address: StorageAddress) throws(StorageError) {
        login = options.login
        if let settings = options.tls {
            do throws(TLSFailure) {
                tls = try ClientTLS(
                    .init(
                        certificate: settings.certificate, key: settings.key,
                        passphrase: settings.passphrase.map { Array($0.utf8) }, authorities: settings.authorities,
                        serverName: settings.serverName, checksServerName: settings.checksServerName))
            } catch {
                throw .connection(.tls(address: address.description, error))
            }
        }
        if let text = options.tunnel {
            do throws(TunnelError) {
                tunnel = try Tunnel(text, mayAsk: options.tunnelMayAsk)
            } catch {
                throw .unsupported(error.description)
            }
        }
    }
}
