internal import Pickle
public import ZODB

/// The text that somebody wrote into a script, a template or a query.
public struct SourceText: Sendable {
    public enum Language: String, Sendable {
        case python, dtml, pageTemplate = "page template", sql, externalMethod = "external method"
    }

    public let language: Language
    /// A script's or a query's parameters, as written; nil where the language has none.
    public let parameters: String?
    public let text: String
    /// The attribute that holds the text.
    public let attribute: String
}

extension Workspace {
    /// The source of a Script (Python), a DTML method or document, a page template, a Z SQL method; for an external
    /// method, which file and function it calls. Nil for everything else.
    public func source(of node: Node) throws(StorageError) -> SourceText? { try subject(of: node).source }
}

extension Subject {
    public var source: SourceText? {
        guard let className else { return nil }
        if let body = text(of: "_body"), attribute("_params") != nil {
            return SourceText(
                language: .python, parameters: text(of: "_params"), text: body, attribute: "_body")
        }
        if let template = text(of: "_text"), attribute("expand") != nil || className.name.contains("Template") {
            return SourceText(language: .pageTemplate, parameters: nil, text: template, attribute: "_text")
        }
        if let query = text(of: "src"), attribute("arguments_src") != nil {
            return SourceText(language: .sql, parameters: text(of: "arguments_src"), text: query, attribute: "src")
        }
        if let raw = text(of: "raw"), className.name.hasPrefix("DTML") || attribute("_vars") != nil {
            return SourceText(language: .dtml, parameters: nil, text: raw, attribute: "raw")
        }
        if let module = text(of: "_module"), let function = text(of: "_function") {
            return SourceText(
                language: .externalMethod, parameters: nil, text: "\(module).\(function)", attribute: "_function")
        }
        return nil
    }
}
